/** The sizes that a log is laid out by, in pixels, read from the page. */

import { h } from "../dom.js";

const SAMPLE = 100;

export class Metrics {
  /** The height of a row, the width of a cell, and how far from the left the text begins. */
  row = 20;
  cell = 8;
  gutter = 0;
  /** The size of what is seen. */
  width = 0;
  height = 0;

  #scroller;
  #text = h("span", { class: "log-text" }, "0".repeat(SAMPLE));
  #probe;
  #observer;

  /** @param {() => void} onChange called when the log got another size, or its text did */
  constructor(scroller, onChange) {
    this.#scroller = scroller;
    this.#probe = h("div", { class: "log-row log-probe", "aria-hidden": "true" },
      h("span", { class: "log-number" }), h("span", { class: "log-time" }), this.#text);
    scroller.append(this.#probe);
    this.#observer = new ResizeObserver(() => {
      if (this.read()) onChange();
    });
    this.#observer.observe(scroller);
    this.#observer.observe(this.#text);
  }

  /** Reads the sizes anew; returns whether one is another. */
  read() {
    const text = this.#text.getBoundingClientRect();
    const probe = this.#probe.getBoundingClientRect();
    const found = {
      row: probe.height || 20,
      cell: text.width / SAMPLE || 8,
      gutter: text.left - probe.left,
      width: this.#scroller.clientWidth,
      height: this.#scroller.clientHeight,
    };
    const changed = Object.keys(found).some((name) => found[name] !== this[name]);
    Object.assign(this, found);
    return changed;
  }

  close() {
    this.#observer.disconnect();
  }
}
