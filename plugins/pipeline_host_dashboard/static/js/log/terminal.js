/** Reads output as a terminal does (ECMA-48): text, control characters, escape sequences. */

import { NONE, Pen, STDERR } from "./styles.js";

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const CSI = /(?:\u001b\[|\u009b)([\u0030-\u003f]*)([\u0020-\u002f]*)([\u0040-\u007e])/y;
const CSI_BEGUN = /(?:\u001b\[|\u009b)[\u0030-\u003f]*[\u0020-\u002f]*/y;
const ESCAPE = /\u001b[\u0020-\u002f]*([\u0030-\u007e])/y;
const ESCAPE_BEGUN = /\u001b[\u0020-\u002f]*/y;
const STRING = /\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f]/y;
/** What ends a string; a line feed does so too, as else a stray one would hide all that follows. */
const STRING_END = /\u0007|\u001b\\|\u009c|(?=[\n\u001b])/g;
const LONGEST_SEQUENCE = 256;

/** Turns output into calls of a `Screen`. */
export class Terminal {
  #screen;
  #styles;
  #pen = new Pen();
  #saved = null;
  #style = 0;
  #stream = 0;
  #held = "";
  #inString = false;
  #time = 0;

  constructor(screen, styles) {
    this.#screen = screen;
    this.#styles = styles;
  }

  /**
   * Reads a piece of output. A sequence may be cut anywhere between two pieces.
   *
   * @param {string} content
   * @param {{stream?: string, time?: number}} [from] which stream it came from, and when, in
   *   milliseconds since 1970
   */
  write(content, { stream, time = 0 } = {}) {
    const input = this.#held + content;
    this.#held = "";
    this.#time = time;
    this.#source(stream === "stderr" ? STDERR : 0);
    let at = this.#inString ? this.#endString(input, 0) : 0;
    while (at < input.length) {
      CONTROL.lastIndex = at;
      const found = CONTROL.exec(input);
      const end = found ? found.index : input.length;
      if (end > at) this.#screen.put(input.slice(at, end), this.#style, time);
      at = found ? this.#control(input, end) : end;
    }
  }

  /** Deals with the control character at `at`; returns where to go on. */
  #control(input, at) {
    const code = input.charCodeAt(at);
    if (code === 0x0a || code === 0x0b || code === 0x0c || code === 0x85) {
      this.#screen.feed(this.#time);
    } else if (code === 0x0d) this.#screen.column(0);
    else if (code === 0x08) this.#screen.move(0, -1);
    else if (code === 0x09) this.#screen.tab(this.#style, this.#time);
    else if (code === 0x1b || code >= 0x90) return this.#sequence(input, at);
    return at + 1;
  }

  #sequence(input, at) {
    const csi = matchAt(CSI, input, at);
    if (csi) {
      if (!csi[2]) this.#csi(csi[3], csi[1]);
      return at + csi[0].length;
    }
    const string = matchAt(STRING, input, at);
    if (string) return this.#endString(input, at + string[0].length);
    const begun = matchAt(CSI_BEGUN, input, at);
    if (begun) return this.#hold(input, at, begun[0]);
    const escape = matchAt(ESCAPE, input, at);
    if (escape) {
      this.#escape(escape[1]);
      return at + escape[0].length;
    }
    const start = matchAt(ESCAPE_BEGUN, input, at);
    return start ? this.#hold(input, at, start[0]) : at + 1;
  }

  /** Keeps what may be the beginning of a sequence until more comes; drops what is none. */
  #hold(input, at, begun) {
    const end = at + begun.length;
    if (end === input.length && begun.length < LONGEST_SEQUENCE) this.#held = begun;
    return end;
  }

  #endString(input, at) {
    STRING_END.lastIndex = at;
    const end = STRING_END.exec(input);
    const ended = end !== null && !(end[0] === "" && end.index === input.length - 1 && input[end.index] === "\u001b");
    this.#inString = !ended;
    if (ended) return end.index + end[0].length;
    if (end !== null) this.#held = "\u001b"; // perhaps the first half of the end
    return input.length;
  }

  #escape(final) {
    if (final === "7") this.#save();
    else if (final === "8") this.#restore();
    else if (final === "D" || final === "E") this.#screen.feed(this.#time);
    else if (final === "M") this.#screen.move(-1, 0);
    else if (final === "c") {
      this.#pen.reset();
      this.#restyle();
    }
  }

  #save() {
    this.#screen.save();
    this.#saved = { ...this.#pen };
  }

  #restore() {
    this.#screen.restore();
    Object.assign(this.#pen, this.#saved);
    this.#restyle();
  }

  #csi(final, parameters) {
    if (parameters === "" && final === "s") this.#save();
    else if (parameters === "" && final === "u") this.#restore();
    else if (final === "m") {
      if (/^[<-?]/.test(parameters)) return;
      this.#pen.apply(parameters);
      this.#restyle();
    } else if (parameters === "" || /^[\d;]+$/.test(parameters)) {
      const numbers = parameters.split(";").map(Number);
      MOVES[final]?.(this.#screen, numbers[0], numbers[1] ?? 0, this.#time);
    }
  }

  #source(flag) {
    if (flag === this.#stream) return;
    this.#stream = flag;
    this.#restyle();
  }

  #restyle() {
    const { foreground, background, flags } = this.#pen;
    const plain = foreground === NONE && background === NONE && flags === 0 && this.#stream === 0;
    this.#style = plain ? 0 : this.#styles.number(foreground, background, flags | this.#stream);
  }
}

/** What sequences do to a screen, by their last character; a number that is 0 was left out. */
const MOVES = {
  A: (screen, count) => screen.move(-(count || 1), 0),
  B: (screen, count) => screen.move(count || 1, 0),
  C: (screen, count) => screen.move(0, count || 1),
  D: (screen, count) => screen.move(0, -(count || 1)),
  E: (screen, count) => {
    screen.move(count || 1, 0);
    screen.column(0);
  },
  F: (screen, count) => {
    screen.move(-(count || 1), 0);
    screen.column(0);
  },
  G: (screen, column) => screen.column((column || 1) - 1),
  "`": (screen, column) => screen.column((column || 1) - 1),
  H: (screen, row, column) => screen.place((row || 1) - 1, (column || 1) - 1),
  f: (screen, row, column) => screen.place((row || 1) - 1, (column || 1) - 1),
  J: (screen, part, _, time) => screen.eraseScreen(part, time),
  K: (screen, part) => screen.eraseLine(part),
  P: (screen, count) => screen.edit("delete", count || 1),
  "@": (screen, count) => screen.edit("insert", count || 1),
  X: (screen, count) => screen.edit("erase", count || 1),
};

function matchAt(pattern, input, at) {
  pattern.lastIndex = at;
  return pattern.exec(input);
}
