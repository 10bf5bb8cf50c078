/** The result of a process: rendered by the server, or as it was written. */

import { h, replace, setProp } from "../dom.js";
import { Owed } from "../owed.js";
import { copyButton, panelHead, plain as asWritten, reachable } from "./part.js";

const TALL = 640;

export class Result {
  element = h("section", { class: "panel result", "aria-label": "Result", hidden: true });
  #id;
  #context;
  #shown;
  #reading;

  constructor({ id, context }) {
    this.#id = id;
    this.#context = context;
    this.#reading = new Owed(
      context.live,
      (signal) => this.#render(signal),
      // As it was written, it can be read until it can be rendered.
      (error) => this.#show(this.#shown, { plain: error.message }),
    );
  }

  update({ result }) {
    if (result === this.#shown) return;
    this.#shown = result;
    this.#reading.stop();
    this.element.hidden = !result;
    replace(this.element);
    if (result) this.#reading.now();
  }

  unmount() {
    this.#reading.close();
  }

  async #render(signal) {
    const result = this.#shown;
    const answer = await this.#context.api.rendered(this.#id, { signal });
    signal.throwIfAborted();
    this.#show(result, answer);
  }

  #show(result, { result: html, plain }) {
    const source = () => asWritten(result);
    const body = h("div", { class: "result-body" }, html === undefined ? source() : rendered(html));
    const toggle = html !== undefined && h("button", {
      type: "button",
      class: "button small quiet",
      "aria-pressed": "false",
      on: {
        click: () => {
          const wanted = toggle.getAttribute("aria-pressed") === "false";
          setProp(toggle, "aria-pressed", String(wanted));
          replace(body, wanted ? source() : rendered(html));
        },
      },
    }, "Source");
    replace(this.element,
      panelHead("Result", plain && h("span", { class: "hint" }, plain), toggle,
        copyButton(this.#context, "Copy", "Result", result)),
      body);
    clamp(body);
  }
}

/** The one place where HTML gets into the page: the server has sanitised it, and no script runs. */
function rendered(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const prose = h("div", { class: "prose", dir: "auto" }, [...parsed.body.childNodes]);
  reachable(prose.querySelectorAll("pre, table"));
  return prose;
}

/** Cuts a tall body, until all of it is asked for. */
function clamp(body) {
  if (body.scrollHeight <= TALL * 1.25) return;
  body.classList.add("clamped");
  const button = h("button", {
    type: "button",
    class: "button small unclamp",
    on: {
      click: () => {
        body.classList.remove("clamped");
        button.remove();
      },
    },
  }, "Show all of the result");
  body.after(button);
}
