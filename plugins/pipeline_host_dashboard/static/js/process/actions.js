/** What one can do with a process. */

import { copy } from "../clipboard.js";
import { h, setProp } from "../dom.js";
import { icon } from "../icons.js";
import { processHref } from "../router.js";

const ENDED = new Set(["completed", "failed", "cancelled"]);

export class Actions {
  element;
  #id;
  #context;
  #process = null;
  #removed = false;
  #cancel;
  #result;
  #remove;

  constructor({ id, context }) {
    this.#id = id;
    this.#context = context;
    this.#cancel = button("stop", "Cancel", () => this.cancel());
    this.#result = button("copy", "Copy result", () => copy(context, "Result", this.#process.result));
    this.#remove = button("trash", "Delete", () => this.#delete(), "danger");
    const link = () => copy(context, "Link", location.origin + processHref(id));
    this.element = h("div", { class: "process-actions", role: "group", "aria-label": "Actions" },
      this.#cancel, this.#result, button("link", "Copy link", link), this.#remove);
  }

  update(process, removed) {
    this.#process = process;
    this.#removed = removed;
    this.#cancel.hidden = removed || ENDED.has(process.status);
    this.#result.hidden = !process.result;
    this.#remove.hidden = removed;
  }

  /** Asks, then asks the server; `false` where there is nothing to cancel. */
  cancel() {
    if (this.#cancel.hidden) return false;
    this.#confirmCancel();
    return true;
  }

  async #confirmCancel() {
    const sure = await this.#context.confirm({
      title: "Cancel this process?",
      text: "It is marked as cancelled, and whoever runs it is asked to stop it.",
      action: "Cancel the process",
      danger: true,
    });
    if (sure) await this.#try(this.#cancel, () => this.#context.api.cancel(this.#id));
  }

  async #delete() {
    const running = !ENDED.has(this.#process.status);
    const sure = await this.#context.confirm({
      title: "Delete this process?",
      text: running
        ? "It and its output are forgotten for good. It isn't stopped: cancel it first if it should be."
        : "It and its output are forgotten for good.",
      action: "Delete",
      danger: true,
    });
    if (!sure) return;
    const done = await this.#try(this.#remove, () => this.#context.api.remove(this.#id));
    if (!done) return;
    this.#context.toast("Process deleted");
    this.#context.router.navigate("/");
  }

  async #try(pressed, act) {
    setProp(pressed, "disabled", true);
    try {
      await act();
      return true;
    } catch (error) {
      if (!this.#removed) this.#context.toast(error.message);
      return false;
    } finally {
      setProp(pressed, "disabled", false);
    }
  }
}

function button(name, label, click, kind) {
  return h("button", { type: "button", class: ["button", kind], on: { click } }, icon(name), label);
}
