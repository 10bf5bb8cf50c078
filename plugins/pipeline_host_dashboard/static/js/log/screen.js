/** The last lines of an output, which can still change, and the cursor in them. */

import { Line, cellsIn } from "./line.js";

/** How many lines stay within reach of the cursor: more than a terminal shows. */
export const REACH = 100;
/** The width that a program has to think it writes to, in cells; only the cursor's leaps end there. */
export const COLUMNS = 200;
/** A line that is longer is broken. */
export const LONGEST = 1 << 20;

const BATCH = 256;
const MOST_TEXT = 1 << 19;

/** Lines that leave it are given to `retire(lines)`, many at a time. */
export class Screen {
  /** The lines, oldest first; the last one may be empty, as behind a line feed. */
  lines = [new Line()];

  #retire;
  #row = 0;
  #cell = 0;
  #size = 0;
  #retired = 0;
  #page = null;
  #saved = null;

  constructor(retire) {
    this.#retire = retire;
  }

  put(text, style, time) {
    const line = this.lines[this.#row];
    if (line.text === "") line.time ||= time;
    else if (line.text.length >= LONGEST) {
      this.feed(time);
      this.put(text, style, time);
      return;
    }
    const cells = cellsIn(text);
    line.write(this.#cell, text, cells, style);
    this.#cell += cells;
  }

  /** To the beginning of the next line. */
  feed(time) {
    const line = this.lines[this.#row];
    line.time ||= time;
    this.#size += line.text.length;
    this.#row += 1;
    this.#cell = 0;
    if (this.#row === this.lines.length) {
      this.lines.push(new Line());
      if (this.lines.length >= REACH + BATCH) this.#shed(REACH);
      else if (this.#size > MOST_TEXT) this.#shed(1);
    }
  }

  /** To the next stop of the tabulator, with spaces where there is nothing yet. */
  tab(style, time) {
    const to = (Math.floor(this.#cell / 8) + 1) * 8;
    const line = this.lines[this.#row];
    if (to > line.width && this.#cell <= line.width) {
      const from = Math.max(this.#cell, line.width);
      this.#cell = from;
      this.put(" ".repeat(to - from), style, time);
    }
    this.#cell = to;
  }

  /** To a cell of the line. */
  column(cell) {
    const width = this.lines[this.#row].width;
    this.#cell = Math.max(0, Math.min(cell, Math.max(width, COLUMNS)));
  }

  move(rows, cells) {
    if (rows) this.#row = Math.max(0, Math.min(this.#row + rows, this.lines.length - 1));
    if (cells) this.column(this.#cell + cells);
  }

  /** To a line and cell of the page that the program has cleared for itself, if it has. */
  place(row, cell) {
    const line = (this.#page ?? 0) - this.#retired + row;
    if (this.#page !== null && line >= 0) this.#row = Math.min(line, this.lines.length - 1);
    this.column(cell);
  }

  save() {
    this.#saved = { line: this.#retired + this.#row, cell: this.#cell };
  }

  restore() {
    if (!this.#saved) return;
    const row = this.#saved.line - this.#retired;
    this.#row = Math.max(0, Math.min(row, this.lines.length - 1));
    this.column(this.#saved.cell);
  }

  /** Empties the line: behind the cursor (0), before it (1), or all of it (2). */
  eraseLine(part) {
    const line = this.lines[this.#row];
    if (part === 0) line.erase(this.#cell, line.width);
    else if (part === 1) line.erase(0, this.#cell + 1);
    else if (part === 2) line.erase(0, line.width);
  }

  /** Empties what follows the cursor (0); for all (2, 3) a new page begins, as output is kept. */
  eraseScreen(part, time) {
    if (part === 0) {
      this.eraseLine(0);
      this.lines.length = this.#row + 1;
    } else if (part >= 2) {
      this.#row = this.lines.length - 1;
      if (this.lines[this.#row].text !== "") this.feed(time);
      this.#page = this.#retired + this.#row;
    }
  }

  /** Changes the line from the cursor on: `delete`, `insert` or `erase` so many cells. */
  edit(what, cells) {
    const line = this.lines[this.#row];
    const end = Math.min(this.#cell + cells, line.width);
    if (what === "insert") line.open(this.#cell, Math.min(cells, COLUMNS));
    else line.erase(this.#cell, end, { close: what === "delete" });
  }

  /** Gives away all lines but those that `keep` says, and none from the cursor's on. */
  #shed(keep) {
    const count = Math.min(this.lines.length - keep, this.#row);
    if (count <= 0) return;
    const gone = this.lines.splice(0, count);
    this.#row -= count;
    this.#retired += count;
    this.#size = 0;
    this.#retire(gone);
  }
}
