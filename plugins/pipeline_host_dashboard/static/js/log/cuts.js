/** Where in a line's text its cells are. */

import { cellsOf } from "./width.js";

const REMEMBERED = 64;

/** Cuts lines into pieces of so many cells, and remembers where. */
export class Cuts {
  #known = new Map();

  /**
   * The part of a line that its cells from `part * cells` on are, `cells` many.
   *
   * @returns {{from: number, to: number}} indexes in the line's text
   */
  part(number, line, cells, part) {
    if (line.width <= cells) return { from: 0, to: line.text.length };
    if (line.text.length === line.width) {
      const { text } = line;
      return { from: whole(text, part * cells), to: whole(text, (part + 1) * cells) };
    }
    const starts = this.#starts(number, line, cells);
    return { from: starts[part] ?? line.text.length, to: starts[part + 1] ?? line.text.length };
  }

  /** Which part of a line the index of its text is in. */
  partOf(number, line, cells, index) {
    if (line.width <= cells) return 0;
    if (line.text.length === line.width) return Math.floor(Math.min(index, line.width - 1) / cells);
    const after = this.#starts(number, line, cells).findIndex((start) => start > index);
    return after < 0 ? this.#starts(number, line, cells).length - 1 : after - 1;
  }

  #starts(number, line, cells) {
    const key = `${number} ${line.stamp} ${line.width} ${cells}`;
    let starts = this.#known.get(key);
    if (!starts) {
      starts = startsOf(line.text, cells);
      this.#known.set(key, starts);
      if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value);
    }
    return starts;
  }
}

/** The index at which each piece begins; a character that lies across belongs to the first. */
function startsOf(text, cells) {
  const starts = [0];
  let at = 0;
  let index = 0;
  for (const character of text) {
    const taken = cellsOf(character);
    if (taken > 0 && at >= starts.length * cells) starts.push(index);
    at += taken;
    index += character.length;
  }
  return starts;
}

/** An index that doesn't split a pair of surrogates. */
function whole(text, index) {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code < 0xe000 ? index + 1 : index;
}
