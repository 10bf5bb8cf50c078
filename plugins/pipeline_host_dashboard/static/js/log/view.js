/** What is seen of a log: a few rows, wherever in it one has scrolled to. */

import { h } from "../dom.js";
import { Cuts } from "./cuts.js";
import { Metrics } from "./metrics.js";
import { Row } from "./row.js";
import { Rows } from "./rows.js";
import { Scroll } from "./scroll.js";

/** Rows that are there before they are scrolled to, above and below. */
const SPARE = 24;
/** Cells of a line that are put into the page together, where lines aren't wrapped. */
const PIECE = 400;
const FEWEST_COLUMNS = 20;
const FEWEST_DIGITS = 4;
/** Rows are placed from a line of their own, as browsers don't place anything far away exactly. */
const BASE = 4096;

/** Shows a transcript; only what is seen, and a little around it, is in the page. */
export class LogView {
  /** The element that scrolls. */
  element;
  /** Whether the end is kept in sight as output arrives. */
  following = true;
  /** Whether long lines go on in the next row. */
  wrap = false;
  /** The lines that are picked out: `{from, to}`, from 0, both included; or `null`. */
  selected = null;
  /** Marks in a part of a line: `(number, text, from, to) => {start, end, current}[]`. */
  marks = null;

  #transcript;
  #palette;
  #rows;
  #cuts = new Cuts();
  #scroll = new Scroll();
  #metrics;
  #sizer = h("div", { class: "log-sizer" });
  #body = h("div", { class: "log-rows" });
  #shown = new Map();
  #anchor = null;
  #frame = 0;
  #epoch = 0;
  #digits = 0;
  #kept = 0;
  #moved = false;
  /** Where the scroll bar was seen last; to look costs the browser a layout. */
  #bar = 0;
  #times;
  #onDraw;
  #pinned;

  /**
   * @param {Transcript} transcript
   * @param {Palette} palette
   * @param {object} options
   * @param {(time: number) => string} options.times what to write beside a line
   * @param {() => void} options.onDraw called after each time that it was drawn
   * @param {() => string[]} options.pinned keys of rows that must stay in the page
   */
  constructor(transcript, palette, { times, onDraw, pinned }) {
    this.#transcript = transcript;
    this.#palette = palette;
    this.#rows = new Rows(transcript);
    [this.#times, this.#onDraw, this.#pinned] = [times, onDraw, pinned];
    this.#sizer.append(this.#body);
    this.element = h("div", {
      class: "log-scroll", tabindex: 0, role: "region", "aria-label": "Lines of the output",
      on: { scroll: () => this.#onScroll(), scrollend: () => this.#settle() },
    }, this.#sizer);
  }

  /** Begins to draw; the element is in the page by now. */
  open() {
    this.#metrics = new Metrics(this.element, () => this.draw());
    this.#metrics.read();
    this.redraw();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#metrics.close();
  }

  /** Has it drawn with the next frame, as the transcript, or where one is, has changed. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Has all rows drawn anew, as how they look has changed. */
  redraw() {
    this.#epoch += 1;
    this.#metrics.read();
    this.draw();
  }

  /** Goes to the end and stays there, or stays where it is. */
  follow(following) {
    this.following = following;
    this.draw();
  }

  /** Goes to a line, and to an index in its text; not where that is in sight already. */
  goTo(number, index = 0) {
    this.following = false;
    const { row: height, height: seen, cell, width, gutter } = this.#metrics;
    const line = this.#transcript.line(number);
    const part = this.wrap ? this.#cuts.partOf(number, line, this.#rows.columns, index) : 0;
    const top = (this.#rows.rowOf(number) + part) * height;
    const { top: from } = this.#scroll;
    if (top < from + height || top > from + seen - 3 * height) this.#go(top - seen / 3);
    if (!this.wrap) {
      const left = index * cell;
      const from = this.element.scrollLeft;
      const inSight = left >= from && left < from + width - gutter - 8 * cell;
      if (!inSight) this.element.scrollLeft = Math.max(0, left - (width - gutter) / 2);
    }
    this.#keepAnchor();
    this.draw();
  }

  /** The number of the first line that is seen. */
  get topLine() {
    return this.#transcript.end === 0 ? 0 : this.#rows.at(Math.floor(this.#scroll.top / this.#metrics.row)).number;
  }

  /** How many rows there are, with those that aren't in the page. */
  get rows() {
    return this.#rows.total;
  }

  get isAtEnd() {
    return this.#scroll.isAtEnd;
  }

  /** The row that an element of the page is in. */
  rowAt(node) {
    const element = (node instanceof Element ? node : node?.parentElement)?.closest(".log-row");
    for (const row of this.#shown.values()) if (row.element === element) return row;
    return null;
  }

  #draw() {
    this.#frame = 0;
    this.#layOut();
    const { bar, height, top } = this.#scroll;
    this.#sizer.style.height = `${height}px`;
    this.#sizer.style.width = this.wrap ? "" : `${this.#metrics.gutter + (this.#transcript.widest + 2) * this.#metrics.cell}px`;
    const first = Math.floor(top / this.#metrics.row);
    const base = Math.floor(first / BASE) * BASE;
    this.#body.style.transform = `translateY(${base * this.#metrics.row + bar - top}px)`;
    this.#arrange(first, base);
    this.#keepAnchor();
    this.#onDraw();
    if (this.#moved && this.#frame === 0) this.#moveBar(bar);
  }

  /**
   * Moves the scroll bar; never unless it must, as that would break off a scrolling. It makes the
   * browser lay out all that was changed, so it comes last.
   */
  #moveBar(bar) {
    this.#moved = false;
    if (Math.abs(this.#bar - bar) < 1) return;
    this.element.scrollTop = bar;
    this.#bar = this.element.scrollTop;
    this.#scroll.set(this.#bar);
  }

  /** Goes to a pixel of the whole log. */
  #go(top) {
    this.#scroll.go(top);
    this.#moved = true;
  }

  /** Brings sizes and place up to date. */
  #layOut() {
    const { first, end } = this.#transcript;
    const digits = Math.max(FEWEST_DIGITS, String(end).length);
    if (digits !== this.#digits) {
      this.#digits = digits;
      this.element.style.setProperty("--log-digits", digits);
      this.#metrics.read();
    }
    const { row, cell, gutter, width, height } = this.#metrics;
    this.element.style.setProperty("--log-cell", `${cell}px`);
    const columns = this.wrap ? Math.max(FEWEST_COLUMNS, Math.floor((width - gutter) / cell) - 1) : Infinity;
    const moved = columns !== this.#rows.columns || first !== this.#kept;
    this.#rows.columns = columns;
    this.#kept = first;
    this.#scroll.resize((this.#rows.total + 1) * row, height);
    if (this.following) this.#go(this.#scroll.end);
    else if (moved && this.#anchor) this.#go(this.#topOf(this.#anchor));
  }

  #topOf({ number, part, within }) {
    const kept = Math.max(number, this.#transcript.first);
    return (this.#rows.rowOf(kept) + Math.min(part, this.#rows.of(kept) - 1)) * this.#metrics.row + within;
  }

  #keepAnchor() {
    if (this.#transcript.end === this.#transcript.first) return;
    const { row } = this.#metrics;
    const at = Math.floor(this.#scroll.top / row);
    this.#anchor = { ...this.#rows.at(at), within: this.#scroll.top - at * row };
    this.#anchor.number = Math.min(this.#anchor.number, this.#transcript.end - 1);
  }

  /** Puts the rows into the page that are to be there, and takes away all others. */
  #arrange(first, base) {
    const wanted = this.#wanted(first);
    const before = this.#shown;
    this.#shown = new Map();
    for (const { key } of wanted) {
      if (before.has(key)) this.#shown.set(key, before.get(key));
      before.delete(key);
    }
    const spare = [...before.values()];
    let next = this.#body.firstChild;
    for (const place of wanted) {
      let row = this.#shown.get(place.key);
      if (!row) {
        row = spare.pop() ?? new Row();
        if (row.element === next) next = next.nextSibling;
        row.key = place.key;
        this.#body.insertBefore(row.element, next);
        this.#shown.set(place.key, row);
      }
      next = row.element.nextSibling;
      row.place((place.row - base) * this.#metrics.row);
      this.#fill(row, place);
    }
    for (const row of spare) row.element.remove();
  }

  /** Which rows are to be in the page, in order: `{key, number, part, row}`. */
  #wanted(first) {
    const from = Math.max(0, first - SPARE);
    const to = Math.min(this.#rows.total, first + Math.ceil(this.#metrics.height / this.#metrics.row) + SPARE);
    const wanted = [];
    if (from < to) {
      let { number, part } = this.#rows.at(from);
      for (let row = from; row < to; row += 1) {
        wanted.push({ key: `${number} ${part}`, number, part, row });
        part += 1;
        if (part >= this.#rows.of(number)) [number, part] = [number + 1, 0];
      }
    }
    const pinned = this.#pinned().map((key) => this.#pin(key)).filter((pin) => pin && (pin.row < from || pin.row >= to));
    return pinned.length ? [...wanted, ...pinned].sort((one, other) => one.row - other.row) : wanted;
  }

  #pin(key) {
    const [number, part] = key.split(" ").map(Number);
    const { first, end } = this.#transcript;
    if (number < first || number >= end) return null;
    return { key, number, part, row: this.#rows.rowOf(number) + part };
  }

  #fill(row, { number, part }) {
    const line = this.#transcript.line(number);
    const { from, to, indent } = this.#cut(number, line, part);
    const { selected } = this;
    row.show({
      number, line, from, to, indent, part,
      selected: selected !== null && number >= selected.from && number <= selected.to,
      state: this.#epoch,
      time: this.#times(line.time),
      marks: () => this.marks?.(number, line.text, from, to) ?? [],
    }, this.#palette);
  }

  /** Which part of a line is in a row. */
  #cut(number, line, part) {
    if (this.wrap) return { ...this.#cuts.part(number, line, this.#rows.columns, part), indent: 0 };
    if (line.width <= 3 * PIECE) return { from: 0, to: line.text.length, indent: 0 };
    const { cell, width } = this.#metrics;
    const first = Math.max(0, Math.floor(this.element.scrollLeft / cell / PIECE) - 1);
    const last = first + Math.ceil(width / cell / PIECE) + 2;
    const { from } = this.#cuts.part(number, line, PIECE, first);
    const { to } = this.#cuts.part(number, line, PIECE, last);
    return { from, to, indent: first * PIECE };
  }

  #onScroll() {
    this.#bar = this.element.scrollTop;
    if (this.#scroll.scrolled(this.#bar)) this.following = this.#scroll.isAtEnd;
    this.draw();
  }

  /** Scrolling has stopped: the scroll bar goes to where it belongs. */
  #settle() {
    this.#scroll.settle();
    this.#moved = true;
    this.draw();
  }
}
