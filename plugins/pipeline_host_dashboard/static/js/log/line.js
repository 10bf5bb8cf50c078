/** One line of a terminal while it can still change. */

import { isPlain, locate, width } from "./width.js";

let stamps = 0;

/** Text, and from where on it looks how. Positions are in cells, as a terminal counts. */
export class Line {
  text = "";
  /** The cells that the text takes. */
  width = 0;
  /** Start indexes in the text, each followed by the number of a look; before the first one it is 0. */
  runs = [];
  /** When it was begun, in milliseconds since 1970; 0 where that isn't known. */
  time = 0;
  /** Another number after each change. */
  stamp = (stamps += 1);

  /** Writes `text`, which takes `cells` cells, in place of what is there; gaps are filled. */
  write(cell, text, cells, style) {
    this.stamp = stamps += 1;
    if (cell > this.width) this.#append(" ".repeat(cell - this.width), cell - this.width, 0);
    if (cell === this.width) {
      this.#append(text, cells, style);
      return;
    }
    const from = this.#cut(cell);
    const to = this.#cut(cell + cells);
    this.#splice(from, to, text, style);
    this.width = Math.max(this.width, cell + cells);
  }

  /** Takes away the cells from `from` to `to`; what follows them stays where it is, or moves up. */
  erase(from, to, { close = false } = {}) {
    if (from >= this.width) return;
    this.stamp = stamps += 1;
    const start = this.#cut(from);
    const end = this.#cut(to);
    const blank = close || to >= this.width ? "" : " ".repeat(to - from);
    this.#splice(start, end, blank, 0);
    this.width = to >= this.width ? from : this.width - (close ? to - from : 0);
  }

  /** Moves what is at `cell` and after it to the right. */
  open(cell, cells) {
    if (cell >= this.width) return;
    this.stamp = stamps += 1;
    const index = this.#cut(cell);
    this.#splice(index, index, " ".repeat(cells), 0);
    this.width += cells;
  }

  #append(text, cells, style) {
    if (style !== (this.runs.at(-1) ?? 0)) this.runs.push(this.text.length, style);
    this.text += text;
    this.width += cells;
  }

  /** The index at which `cell` begins; a wide character that lies across it becomes two spaces. */
  #cut(cell) {
    if (cell >= this.width) return this.text.length;
    const found = locate(this.text, cell);
    if (found.cell === cell) return found.index;
    const [across] = [...this.text.slice(0, found.index)].slice(-1);
    const start = found.index - across.length;
    this.#splice(start, found.index, "  ", this.#styleAt(start));
    return start + 1;
  }

  #splice(from, to, text, style) {
    const rest = this.#styleAt(to);
    const hasRest = to < this.text.length;
    const runs = [];
    const put = (start, look) => {
      if (look !== (runs.at(-1) ?? 0)) runs.push(start, look);
    };
    const moved = from + text.length - to;
    for (let at = 0; at < this.runs.length && this.runs[at] < from; at += 2) {
      put(this.runs[at], this.runs[at + 1]);
    }
    if (text) put(from, style);
    if (hasRest) put(from + text.length, rest);
    for (let at = 0; at < this.runs.length; at += 2) {
      if (this.runs[at] > to) put(this.runs[at] + moved, this.runs[at + 1]);
    }
    this.runs = runs;
    this.text = this.text.slice(0, from) + text + this.text.slice(to);
  }

  #styleAt(index) {
    let style = 0;
    for (let at = 0; at < this.runs.length && this.runs[at] <= index; at += 2) {
      style = this.runs[at + 1];
    }
    return style;
  }
}

/** The cells of a text that is to be written. */
export function cellsIn(text) {
  return isPlain(text) ? text.length : width(text);
}
