/** A process's page: all that is known of one process, kept up to date. */

import { h, replace, text } from "../dom.js";
import { icon } from "../icons.js";
import { mountLog } from "../log/index.js";
import { Owed } from "../owed.js";
import { Actions } from "./actions.js";
import { cancellation } from "./cancellation.js";
import { Children } from "./children.js";
import { errorText, metadata, prompt } from "./details.js";
import { facts } from "./facts.js";
import { Heading } from "./heading.js";
import { newer } from "./newer.js";
import { Result } from "./result.js";
import { structured } from "./structured.js";

const TICK = 1000;
const TITLE_LENGTH = 60;

export function mount(container, { id }, context) {
  const page = new ProcessPage(container, id, context);
  page.load();
  return { unmount: () => page.unmount() };
}

class ProcessPage {
  #id;
  #context;
  #place;
  #off;
  #timer;
  #process = null;
  #removed = false;
  #parts = null;
  #log = null;
  #children = null;
  #reading;
  /** What a change told since the process was asked for. */
  #told = null;

  constructor(container, id, context) {
    this.#id = id;
    this.#context = context;
    this.#reading = new Owed(context.live, (signal) => this.#read(signal), (error) => this.#fail(error));
    this.#place = h("article", { class: "page process", "aria-busy": "true" });
    container.append(this.#place);
    const { live, shortcuts } = context;
    this.#off = [
      live.on("change", (message) => this.#onChange(message)),
      live.on("resync", () => this.#resync()),
      context.workspaces.onChange(() => this.#process && this.#update()),
      shortcuts.register({
        c: { help: "Cancel this process", run: () => this.#parts?.actions.cancel() ?? false },
        u: { help: "Up to what it belongs to", run: () => this.#up() },
      }, "Process"),
    ];
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  unmount() {
    clearInterval(this.#timer);
    for (const off of this.#off) off();
    this.#reading.close();
    this.#leaveParts();
    this.#place.remove();
  }

  /** Reads the process anew. */
  load() {
    return this.#reading.now();
  }

  async #read(signal) {
    this.#told = null;
    let process;
    try {
      process = await this.#context.api.get(this.#id, { signal });
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#onGone();
      return;
    }
    signal.throwIfAborted();
    this.#show(newer(process, this.#told));
  }

  #resync() {
    this.load();
    this.#children?.load();
  }

  #onChange(message) {
    const { type, process, processId, processIds } = message;
    if (process?.id === this.#id) {
      if (type === "process-added") this.#startOver();
      else this.#hear(process);
    } else if (processId === this.#id || processIds?.includes(this.#id)) this.#onRemoved();
    this.#children?.take(message);
  }

  /** Shows what a change tells at once, and the rest soon. */
  #hear(told) {
    this.#told = told;
    const process = this.#process && newer(this.#process, told);
    if (process !== this.#process) this.#show(process);
    this.#reading.soon();
  }

  #onRemoved() {
    this.#reading.stop();
    this.#onGone();
  }

  #onGone() {
    if (this.#removed && this.#process) return;
    this.#removed = true;
    if (!this.#process) this.#missing();
    else {
      this.#place.dataset.removed = "";
      this.#update();
      this.#context.announce("This process was deleted.");
    }
  }

  /** The id was given to a new process: nothing of the one before is true of it. */
  #startOver() {
    if (this.#removed) {
      this.#removed = false;
      delete this.#place.dataset.removed;
      this.#leaveParts();
    }
    this.load();
  }

  #show(process) {
    const before = this.#process?.status;
    this.#process = process;
    this.#removed = false;
    delete this.#place.dataset.removed;
    this.#place.removeAttribute("aria-busy");
    const preview = process.promptPreview.slice(0, TITLE_LENGTH) || process.id;
    this.#context.setTitle(preview);
    if (!this.#parts) this.#build();
    this.#update();
    if (before && before !== process.status) this.#context.announce(`It is ${process.status} now.`);
  }

  #build() {
    const { api, live } = this.#context;
    const options = { id: this.#id, context: this.#context };
    const output = h("div", { class: "process-output" });
    this.#children = new Children(options);
    this.#parts = {
      heading: new Heading(options),
      actions: new Actions(options),
      cancellation: cancellation(),
      error: errorText(),
      prompt: prompt(),
      result: new Result(options),
      children: this.#children,
      structured: structured(options),
      facts: facts(options),
      metadata: metadata(),
    };
    this.#arrange(output);
    this.#log = mountLog(output, {
      processId: this.#id, process: this.#process, live, api, context: this.#context, hash: location.hash,
    });
    this.#children.load();
  }

  #arrange(output) {
    const { heading, actions, facts: side, ...main } = this.#parts;
    replace(
      this.#place,
      h("div", { class: "process-top" }, heading.element, actions.element),
      this.#notice(),
      h("div", { class: "process-body" },
        h("div", { class: "process-main" },
          main.cancellation.element, main.error.element, main.prompt.element, main.result.element,
          main.children.element,
          h("section", { class: "panel output", "aria-labelledby": "output-title" },
            h("h2", { id: "output-title" }, "Output"), output),
          main.structured.element, main.metadata.element),
        side.element),
    );
  }

  #notice() {
    return h("p", { class: "notice", role: "status" }, icon("trash"),
      h("span", null, h("strong", null, "This process was deleted."), " What you see is what was last known of it. "),
      h("a", { href: "/" }, "See all processes"));
  }

  #update() {
    for (const part of Object.values(this.#parts)) part.update(this.#process, this.#removed);
    this.#log.update(this.#process, this.#removed);
  }

  #tick() {
    if (document.hidden || !this.#process || this.#removed) return;
    this.#parts?.heading.tick(this.#process);
    this.#children?.tick();
  }

  #up() {
    this.#context.router.navigate(
      this.#process?.parentProcessId ? this.#context.router.processHref(this.#process.parentProcessId) : "/",
    );
  }

  #fail(error) {
    if (!this.#process) this.#unreachable(error);
    else if (error.status !== 0) this.#context.toast(error.message);
  }

  #missing() {
    this.#instead("There is no such process",
      h("p", null, "It was deleted, or its address has a mistake in it. If it is created now, it appears here."),
      h("p", null, h("code", null, text(this.#id))),
      h("a", { class: "button", href: "/" }, "See all processes"));
  }

  #unreachable(error) {
    this.#instead("This process can't be shown now", h("p", null, text(error.message)),
      h("button", { type: "button", class: "button", on: { click: () => this.load() } }, "Try again"));
  }

  #instead(title, ...words) {
    this.#leaveParts();
    this.#place.removeAttribute("aria-busy");
    this.#context.setTitle(title);
    replace(this.#place, h("div", { class: "empty" }, h("h1", null, title), words));
  }

  #leaveParts() {
    this.#log?.unmount();
    this.#children?.unmount();
    this.#parts?.result.unmount();
    this.#log = this.#children = this.#parts = this.#process = null;
  }
}
