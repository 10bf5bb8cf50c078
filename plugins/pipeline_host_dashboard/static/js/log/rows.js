/** Which rows of the view the lines fill: one each, or as many as it takes to see all of them. */

import { rowsOf } from "./pages.js";

/** Rows count from 0, at the first line that the transcript keeps. */
export class Rows {
  #transcript;
  #cols = Infinity;
  #sums = [0];
  #known = { all: null, pages: 0, dropped: 0 };

  constructor(transcript) {
    this.#transcript = transcript;
  }

  /** How many cells a row has; `Infinity` where lines aren't wrapped. */
  get columns() {
    return this.#cols;
  }

  set columns(cols) {
    if (cols === this.#cols) return;
    this.#cols = cols;
    this.#sums = [0];
    this.#known.pages = 0;
  }

  get total() {
    const { first, live, end } = this.#transcript;
    if (this.#cols === Infinity) return end - first;
    this.#sum();
    return this.#sums.at(-1) + this.#between(live, end);
  }

  /** How many rows a line fills. */
  of(number) {
    return rowsOf(this.#transcript.line(number).width, this.#cols);
  }

  /** The first row of a line. */
  rowOf(number) {
    const { first, live, pages } = this.#transcript;
    if (this.#cols === Infinity) return number - first;
    this.#sum();
    if (number >= live) return this.#sums.at(-1) + this.#between(live, number);
    const place = pages.find(number);
    const page = pages.all[place];
    let row = this.#sums[place];
    for (let at = 0; at < number - page.first; at += 1) row += rowsOf(page.widths[at], this.#cols);
    return row;
  }

  /** The line that is in a row, and which of the line's rows it is. */
  at(row) {
    const { first, live, end } = this.#transcript;
    if (this.#cols === Infinity) return { number: first + row, part: 0 };
    this.#sum();
    const paged = this.#sums.at(-1);
    if (row >= paged) return this.#walk(live, end, row - paged);
    let place = this.#sums.length - 2;
    for (let low = 0; low < place; ) {
      const middle = (low + place + 1) >> 1;
      if (this.#sums[middle] <= row) low = middle;
      else place = middle - 1;
    }
    const page = this.#transcript.pages.all[place];
    return this.#walk(page.first, page.end, row - this.#sums[place]);
  }

  #walk(from, to, rows) {
    let left = rows;
    for (let number = from; number < to; number += 1) {
      const filled = this.of(number);
      if (left < filled) return { number, part: left };
      left -= filled;
    }
    return { number: to, part: left };
  }

  #between(from, to) {
    let rows = 0;
    for (let number = from; number < to; number += 1) rows += this.of(number);
    return rows;
  }

  /** Brings the sums of rows before each page up to date. */
  #sum() {
    const { all, dropped } = this.#transcript.pages;
    if (this.#known.dropped !== dropped || this.#known.all !== all) {
      this.#known = { all, pages: 0, dropped };
      this.#sums = [0];
    }
    for (let at = this.#known.pages; at < all.length; at += 1) {
      this.#sums.push(this.#sums[at] + all[at].rows(this.#cols));
    }
    this.#known.pages = all.length;
  }
}
