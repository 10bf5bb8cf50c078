/** A process's output as lines, as a terminal would show them. */

import { Pages } from "./pages.js";
import { Screen } from "./screen.js";
import { GAP, NONE, Styles } from "./styles.js";
import { Terminal } from "./terminal.js";

/** Takes output, and tells its lines by number, from `first` to `end`. */
export class Transcript {
  styles = new Styles();
  pages;
  screen;
  /** Another number whenever anything has changed. */
  version = 0;

  #most;
  #terminal;

  /** @param {number} [most] how many bytes of text to keep; older lines are dropped */
  constructor(most) {
    this.#most = most;
    this.clear();
  }

  /** Forgets all lines. */
  clear() {
    this.version += 1;
    this.pages = new Pages(this.#most);
    this.screen = new Screen((lines) => this.pages.add(lines));
    this.#terminal = new Terminal(this.screen, this.styles);
  }

  /** The number of the first line that is kept, from 0. */
  get first() {
    return this.pages.dropped;
  }

  /** The number of the first line that can still change. */
  get live() {
    return this.pages.end;
  }

  /** The number after that of the last line; an empty line after the last line feed is none. */
  get end() {
    const { lines } = this.screen;
    return this.pages.end + lines.length - (lines.at(-1).text === "" ? 1 : 0);
  }

  /** The most cells that a line takes. */
  get widest() {
    return this.screen.lines.reduce((most, { width }) => Math.max(most, width), this.pages.widest);
  }

  /** Takes a piece of output, see `Terminal.write`. */
  write(content, from) {
    this.version += 1;
    this.#terminal.write(content, from);
  }

  /** Notes in a line of its own that output is missing. */
  gap(words) {
    this.version += 1;
    const { lines } = this.screen;
    this.screen.move(lines.length, 0);
    if (lines.at(-1).text !== "") this.screen.feed(0);
    this.screen.column(0);
    this.screen.put(words, this.styles.number(NONE, NONE, GAP), 0);
    this.screen.feed(0);
  }

  /** A line: `text`, `width` in cells, `runs`, `time`, `stamp`; see `Line`. */
  line(number) {
    const live = number - this.pages.end;
    return live >= 0 ? this.screen.lines[live] : this.pages.line(number);
  }

  /** The text of the lines from `from` to before `to`, with line feeds between them. */
  text(from = this.first, to = this.end) {
    const texts = [];
    for (let number = from; number < to; number += 1) texts.push(this.line(number).text);
    return texts.join("\n");
  }
}
