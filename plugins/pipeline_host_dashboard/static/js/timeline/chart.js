/** The timeline as a chart: only the rows in view are in the page. */

import { h } from "../dom.js";
import { Axis } from "./axis.js";
import { Gestures } from "./gestures.js";
import { Row } from "./row.js";
import { visibleRows } from "./scale.js";

export class Chart {
  element;
  #axis = new Axis();
  #heading = h("div", { class: "tl-corner" });
  #head;
  #list = h("div", { class: "tl-rows", role: "list", "aria-label": "Processes over time" });
  #rows = [];
  #drawn = new Map();
  #spare = [];
  #active = null;
  #width = 0;
  #rowHeight = 30;
  #frame;
  #now = 0;
  #actions;
  #observer;
  #gestures;
  #queued = 0;

  /**
   * @param {object} actions
   * @param {(id: string) => void} actions.toggle
   * @param {(id: string) => void} actions.reveal
   * @param {() => void} actions.resized called when there is another width to draw in
   * @param {(milliseconds: number) => void} actions.pan
   * @param {(factor: number, at: number) => void} actions.zoom
   */
  constructor(actions) {
    this.#actions = actions;
    this.element = h("div", { class: "tl-chart", tabindex: 0, role: "region", "aria-label": "Timeline" },
      (this.#head = h("div", { class: "tl-axis" }, this.#heading, this.#axis.marks)),
      h("div", { class: "tl-canvas" }, this.#axis.lines, this.#list));
    this.element.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.element.addEventListener("focusin", (event) => this.#onFocus(event));
    this.#gestures = new Gestures(this.element, this.#axis.marks, {
      ...actions, frame: () => this.#frame, width: () => this.#width,
    });
    this.#observer = new ResizeObserver(() => this.#measure());
    this.#observer.observe(this.element);
    this.#observer.observe(this.#axis.marks);
  }

  unmount() {
    this.#observer.disconnect();
    this.#gestures.unmount();
    cancelAnimationFrame(this.#queued);
  }

  /** Shows other rows, or the same ones at another time. */
  show(rows, frame, now) {
    this.#rows = rows;
    this.#frame = frame;
    this.#now = now;
    this.#list.style.height = `${rows.length * this.#rowHeight}px`;
    this.#schedule();
  }

  /** What stands above the rows. */
  title(words) {
    if (this.#heading.textContent !== words) this.#heading.textContent = words;
  }

  /** The row that the keyboard is at, if any. */
  get active() {
    return this.#active;
  }

  /** Puts the keyboard at the row `by` rows further down. */
  move(by) {
    const at = this.#rows.findIndex(({ span }) => span.id === this.#active);
    const first = Math.ceil(this.element.scrollTop / this.#rowHeight);
    const wanted = at < 0 ? first : at + by;
    const index = Math.min(Math.max(wanted, 0), this.#rows.length - 1);
    if (index < 0) return;
    this.#active = this.#rows[index].span.id;
    this.#scrollTo(index);
    this.#draw();
    this.#drawn.get(this.#active)?.link.focus({ preventScroll: true });
  }

  #scrollTo(index) {
    const head = this.#head.offsetHeight;
    const top = index * this.#rowHeight;
    const { scrollTop, clientHeight } = this.element;
    const bottom = top + this.#rowHeight + head - clientHeight;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (bottom > scrollTop) this.element.scrollTop = bottom;
  }

  #onFocus({ target }) {
    const id = target.closest(".tl-row")?.dataset.id;
    if (id === undefined || id === this.#active) return;
    this.#active = id;
    this.#schedule();
  }

  #measure() {
    const height = Number.parseFloat(getComputedStyle(this.element).getPropertyValue("--row"));
    const width = this.#axis.marks.clientWidth;
    if (width === this.#width && height === this.#rowHeight) return;
    this.#width = width;
    this.#rowHeight = height || this.#rowHeight;
    this.#actions.resized();
  }

  #schedule() {
    if (this.#queued) return;
    this.#queued = requestAnimationFrame(() => {
      this.#queued = 0;
      this.#draw();
    });
  }

  #draw() {
    if (!this.#frame || this.#width <= 0) return;
    this.#axis.draw(this.#frame, this.#width, this.#now);
    const { scrollTop, clientHeight } = this.element;
    const { first, last } = visibleRows(scrollTop, clientHeight, this.#rowHeight, this.#rows.length);
    const wanted = new Map();
    for (let index = first; index < last; index += 1) wanted.set(this.#rows[index].span.id, index);
    this.#keepFocused(wanted);
    this.#release(wanted);
    const entrance = wanted.has(this.#active) ? this.#active : this.#rows[first]?.span.id;
    for (const [id, index] of wanted) this.#drawRow(id, index, id === entrance);
  }

  /** The row that has the focus stays in the page, wherever one scrolls. */
  #keepFocused(wanted) {
    const id = document.activeElement?.closest?.(".tl-row")?.dataset.id;
    if (id === undefined || wanted.has(id) || !this.#drawn.has(id)) return;
    const index = this.#rows.findIndex(({ span }) => span.id === id);
    if (index >= 0) wanted.set(id, index);
  }

  #release(wanted) {
    for (const [id, row] of this.#drawn) {
      if (wanted.has(id)) continue;
      this.#drawn.delete(id);
      row.element.remove();
      this.#spare.push(row);
    }
  }

  #drawRow(id, index, entrance) {
    let row = this.#drawn.get(id);
    if (!row) {
      row = this.#spare.pop() ?? new Row(this.#actions);
      this.#drawn.set(id, row);
      this.#list.append(row.element);
    }
    row.put(this.#rows[index], index, this.#rows.length);
    row.link.tabIndex = entrance ? 0 : -1;
    row.element.style.transform = `translateY(${index * this.#rowHeight}px)`;
    row.draw(this.#frame, this.#width, this.#now);
  }
}
