/** How text looks (SGR, ECMA-48 8.3.117), and a table in which each look is a small number. */

export const BOLD = 1;
export const DIM = 2;
export const ITALIC = 4;
export const UNDERLINE = 8;
export const INVERSE = 16;
export const STRIKE = 32;
/** It came from the stream `stderr`. */
export const STDERR = 64;
/** It isn't output: it says that output is missing. */
export const GAP = 128;

/** Colours: `NONE`, an index below 256, or `RGB` with 24 bits. */
export const NONE = -1;
export const RGB = 0x1000000;

const ON = { 1: BOLD, 2: DIM, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 9: STRIKE, 21: UNDERLINE };
const OFF = { 22: BOLD | DIM, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 29: STRIKE };
const MOST_STYLES = 20000;

/** What the next character looks like. */
export class Pen {
  foreground = NONE;
  background = NONE;
  flags = 0;

  reset() {
    this.foreground = this.background = NONE;
    this.flags = 0;
  }

  /**
   * Changes it as a sequence `CSI … m` says; what isn't known changes nothing.
   *
   * @param {string} parameters between `CSI` and `m`
   */
  apply(parameters) {
    const single = Number(parameters);
    if (!Number.isNaN(single)) {
      this.#set(single);
      return;
    }
    const groups = parameters.split(";");
    for (let at = 0; at < groups.length; at += 1) {
      const group = groups[at].split(":").map(Number);
      const code = group[0];
      if (code === 38 || code === 48 || code === 58) {
        const whole = group.length > 1;
        const [color, used] = colorOf(whole ? group.slice(1) : groups.slice(at + 1).map(Number));
        if (!whole) at += used;
        if (code === 38) this.foreground = color ?? this.foreground;
        else if (code === 48) this.background = color ?? this.background;
      } else if (code === 4 && group[1] === 0) this.flags &= ~UNDERLINE;
      else this.#set(code);
    }
  }

  #set(code) {
    if (code === 0) this.reset();
    else if (ON[code]) this.flags |= ON[code];
    else if (OFF[code]) this.flags &= ~OFF[code];
    else if (code >= 30 && code <= 37) this.foreground = code - 30;
    else if (code === 39) this.foreground = NONE;
    else if (code >= 40 && code <= 47) this.background = code - 40;
    else if (code === 49) this.background = NONE;
    else if (code >= 90 && code <= 97) this.foreground = code - 82;
    else if (code >= 100 && code <= 107) this.background = code - 92;
  }
}

/** The colour that follows 38 or 48, and how many numbers it took. */
function colorOf(numbers) {
  if (numbers[0] === 5) return [isByte(numbers[1]) ? numbers[1] : null, 2];
  if (numbers[0] !== 2) return [null, 1];
  const parts = numbers.length === 5 ? numbers.slice(2) : numbers.slice(1, 4); // 2:space:r:g:b
  if (parts.length < 3 || !parts.every(isByte)) return [null, 4];
  return [RGB | (parts[0] << 16) | (parts[1] << 8) | parts[2], 4];
}

function isByte(number) {
  return Number.isInteger(number) && number >= 0 && number < 256;
}

/** All looks that were used, by number; 0 is text without any. */
export class Styles {
  #all = [{ foreground: NONE, background: NONE, flags: 0 }];
  #numbers = new Map([[keyOf(NONE, NONE, 0), 0]]);

  get size() {
    return this.#all.length;
  }

  /** The look with a number: `foreground`, `background`, `flags`. */
  get(number) {
    return this.#all[number];
  }

  /** The number of a look. Beyond some thousands of looks, new ones lose their colours. */
  number(foreground, background, flags) {
    const key = keyOf(foreground, background, flags);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const colored = foreground !== NONE || background !== NONE;
    if (this.#all.length >= MOST_STYLES && colored) return this.number(NONE, NONE, flags);
    this.#all.push({ foreground, background, flags });
    this.#numbers.set(key, this.#all.length - 1);
    return this.#all.length - 1;
  }
}

function keyOf(foreground, background, flags) {
  return `${foreground} ${background} ${flags}`;
}
