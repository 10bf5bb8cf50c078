/** One row of a log, as an element that is used again for other rows. */

import { h, setProp } from "../dom.js";
import { isPlain, width } from "./width.js";

/** Characters that would show the others in another order, or couldn't be seen. */
const HIDDEN = /[\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const INSTEAD = "\ufffd";
const LINK = /\bhttps?:\/\/[^\s"'`<>\\^{}|\u0000-\u0020\u007f-\u00a0\u2000-\u206f]*[^\s"'`<>\\^{}|.,;:!?()[\]\u0000-\u0020\u007f-\u00a0\u2000-\u206f]/gi;
const LONGEST_LINK = 2000;
const OUTSIDE = { class: "log-link", target: "_blank", rel: "noopener noreferrer" };

const graphemes = new Intl.Segmenter();

export class Row {
  /** Which row it is, the line that it shows, and the part of its text. */
  key = "";
  number = -1;
  from = 0;
  to = 0;

  #shown = "";
  #link = h("a", { class: "log-number", tabindex: -1 });
  #time = h("span", { class: "log-time" });
  #text = h("span", { class: "log-text" });

  constructor() {
    this.element = h("div", { class: "log-row" }, this.#link, this.#time, this.#text);
  }

  /** The element with the text, and nothing else. */
  get text() {
    return this.#text;
  }

  /** Puts it at so many pixels. */
  place(top) {
    this.element.style.top = `${top}px`;
  }

  /**
   * Shows a part of a line.
   *
   * @param {object} what
   * @param {number} what.number of the line
   * @param {object} what.line see `Transcript.line`
   * @param {number} what.from where the part begins in the line's text, and `to`, where it ends
   * @param {number} what.indent how many cells to leave before it
   * @param {string} what.state what else decides how it looks; the same one looks the same
   * @param {Palette} palette
   * @param {{start: number, end: number, current: boolean}[]} what.marks
   */
  show({ number, line, from, to, indent, selected, state, time, marks }, palette) {
    const shown = `${number} ${line.stamp} ${line.width} ${from} ${to} ${selected} ${state}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    Object.assign(this, { number, from, to });
    this.element.classList.toggle("selected", selected);
    this.#text.style.marginInlineStart = indent ? `calc(${indent} * var(--log-cell))` : "";
    this.#text.replaceChildren(...pieces(line, from, to, marks(), palette));
    const fromStderr = this.#text.querySelector(".stderr") !== null;
    this.element.classList.toggle("from-stderr", fromStderr);
    this.#head(number, from === 0 || indent > 0, time, fromStderr);
  }

  #head(number, begins, time, fromStderr) {
    this.#link.textContent = begins ? number + 1 : "";
    setProp(this.#link, "href", begins && `#L${number + 1}`);
    setProp(this.#link, "aria-label", begins && `Line ${number + 1}${fromStderr ? ", from stderr" : ""}`);
    setProp(this.#link, "title", fromStderr && "from stderr");
    this.#time.textContent = begins ? time : "";
  }
}

/** Text in which each wide character gets two cells, whatever font it is drawn in. */
function cells(text) {
  const nodes = [];
  let narrow = "";
  for (const { segment } of graphemes.segment(text)) {
    if (width(segment) < 2) narrow += segment;
    else {
      if (narrow) nodes.push(narrow);
      narrow = "";
      nodes.push(h("span", { class: "log-wide", style: { width: `${width(segment)}ch` } }, segment));
    }
  }
  return narrow ? [...nodes, narrow] : nodes;
}

/** The nodes for a part of a line: one for each change of look, mark or link. */
function pieces({ text, runs }, from, to, marks, palette) {
  const nodes = [];
  const links = linksIn(text, from, to);
  let run = 0;
  let style = 0;
  for (let at = from; at < to; ) {
    for (; run < runs.length && runs[run] <= at; run += 2) style = runs[run + 1];
    const [marked, markEnd] = rangeAt(marks, at);
    const [link, linkEnd] = rangeAt(links, at);
    const end = Math.min(to, runs[run] ?? to, markEnd, linkEnd);
    const node = piece(text.slice(at, end), style, marked, palette);
    nodes.push(link ? h("a", { ...OUTSIDE, href: link.url }, node) : node);
    at = end;
  }
  return nodes;
}

/** The range that an index is in, if any, and up to where that is so. */
function rangeAt(ranges, index) {
  for (const range of ranges) {
    if (range.start > index) return [null, range.start];
    if (range.end > index) return [range, range.end];
  }
  return [null, Infinity];
}

/** The web addresses in a part of a line, whole also where they go on beyond it. */
function linksIn(text, from, to) {
  const start = Math.max(0, from - LONGEST_LINK);
  const part = start === 0 && to === text.length ? text : text.slice(start, to + LONGEST_LINK);
  if (!part.includes("://")) return [];
  return Array.from(part.matchAll(LINK), ({ index, 0: url }) => ({ start: start + index, end: start + index + url.length, url }));
}

function piece(text, style, marked, palette) {
  const shown = text.replace(HIDDEN, INSTEAD);
  const plain = isPlain(shown);
  if (plain && style === 0 && !marked) return document.createTextNode(shown);
  const element = document.createElement(marked ? "mark" : "span");
  if (plain) element.textContent = shown;
  else element.append(...cells(shown));
  palette.paint(element, style);
  if (marked) element.classList.add("hit");
  if (marked?.current) element.classList.add("current");
  return element;
}
