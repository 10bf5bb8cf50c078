/** One row of the timeline: what it is on the left, when it was on the right. */

import { h, replace, setProp, text, visible } from "../dom.js";
import { duration, fullTime, time } from "../format.js";
import { icon } from "../icons.js";
import { processHref } from "../router.js";
import { place } from "./scale.js";
import { partsOf } from "./spans.js";

const DEEPEST = 8;
const CAPTION_ROOM = 64;

export class Row {
  element;
  link;
  #label = h("div", { class: "tl-label" });
  #waited = h("div", { class: "tl-waited", hidden: true });
  #ran = h("div", { class: "tl-ran", hidden: true });
  #caption = h("span", { class: "tl-caption" });
  #edge;
  #track;
  #span = null;
  #shown = "";
  #frame;

  /** @param {{toggle: (id: string) => void, reveal: (id: string) => void}} actions */
  constructor(actions) {
    this.actions = actions;
    this.#edge = h("button", {
      type: "button", class: "tl-edge", tabindex: -1, "aria-hidden": "true", hidden: true,
      on: { click: () => actions.reveal(this.#span.id) },
    });
    this.#track = h("div", { class: "tl-track", "aria-hidden": "true" },
      this.#waited, this.#ran, this.#caption, this.#edge);
    this.#track.addEventListener("pointerenter", () => setProp(this.#track, "title", this.#tip()));
    this.element = h("div", { class: "tl-row", role: "listitem" }, this.#label, this.#track);
  }

  /** Shows a row of `Spans.rows` as the `index`th of `count`. */
  put({ span, depth, children, open }, index, count) {
    this.#span = span;
    const key = JSON.stringify([span.id, span.preview, span.status, span.start, span.end, depth, children > 0, open]);
    if (key !== this.#shown) {
      this.#shown = key;
      this.#build(span, depth, children, open);
    }
    setProp(this.element, "aria-posinset", index + 1);
    setProp(this.element, "aria-setsize", count);
  }

  /** Puts the bars where they belong. */
  draw(frame, width, now) {
    this.#frame = { frame, width, now };
    const { waited, ran } = partsOf(this.#span, now);
    const all = place(frame, width, [(waited ?? ran)[0], (ran ?? waited)[1]]);
    this.#bar(this.#waited, waited && place(frame, width, waited, ran ? 0 : 2));
    this.#bar(this.#ran, ran && place(frame, width, ran));
    this.#showEdge(all.side);
    this.#showCaption(all, width, now);
  }

  #build(span, depth, children, open) {
    const { id, preview, status } = span;
    const focused = this.#label.contains(document.activeElement) && document.activeElement.className;
    this.element.dataset.status = status;
    this.element.dataset.id = id;
    this.#label.style.setProperty("--depth", Math.min(depth, DEEPEST));
    const toggle = children > 0
      ? h("button", {
        type: "button", class: "tl-toggle", tabindex: -1, "aria-expanded": String(open),
        "aria-label": "What belongs to it", on: { click: () => this.actions.toggle(id) },
      }, icon("chevron"))
      : h("span", { class: "tl-toggle" });
    this.link = h("a", { href: processHref(id), class: "tl-link", tabindex: -1, title: visible(preview) },
      h("span", { class: "status", dataset: { status } }, icon(status)),
      h("span", { class: "tl-name" }, text(preview || id)),
      h("span", { class: "visually-hidden" }, `, ${said(span)}`));
    replace(this.#label, toggle, this.link);
    if (focused) (focused === "tl-toggle" && children > 0 ? toggle : this.link).focus({ preventScroll: true });
  }

  #bar(element, placed) {
    const visible = Boolean(placed) && placed.side === "in" && placed.width > 0;
    element.hidden = !visible;
    if (!visible) return;
    element.style.transform = `translateX(${placed.left}px)`;
    element.style.width = `${placed.width}px`;
  }

  #showEdge(side) {
    const outside = side !== "in";
    if (this.#edge.hidden === !outside && this.#edge.dataset.side === side) return;
    this.#edge.hidden = !outside;
    this.#edge.dataset.side = side;
    if (outside) replace(this.#edge, icon("chevron"));
  }

  #showCaption({ left, width: bar, side }, width, now) {
    const { start, end } = this.#span;
    const right = left + bar;
    const fits = side === "in" && right + CAPTION_ROOM < width;
    this.#caption.hidden = !fits;
    if (!fits) return;
    this.#caption.textContent = duration((end ?? now) - start);
    this.#caption.style.transform = `translateX(${right + 6}px)`;
  }

  #tip() {
    const { waited, ran } = partsOf(this.#span, this.#frame.now);
    const words = [];
    if (waited) words.push(`waited ${duration(waited[1] - waited[0])}`);
    if (ran) words.push(`ran ${duration(ran[1] - ran[0])}`);
    const end = this.#span.end ? ` – ${time(new Date(this.#span.end).toISOString())}` : "";
    return `${words.join(", ")}\n${time(new Date(this.#span.start).toISOString())}${end}`;
  }
}

function said({ status, start, end }) {
  const began = fullTime(new Date(start).toISOString());
  return end === undefined ? `${status}, started ${began}` : `${status}, started ${began}, took ${duration(end - start)}`;
}
