/** How many cells of a terminal a text takes. */

const PLAIN =
  /^[\u0020-\u02ff\u2010-\u2027\u2190-\u22ff\u2500-\u25fc\u2706-\u2709\u270c-\u2727\u2729-\u274b\u2758-\u2794\u2800-\u28ff]*$/;
const WIDE =
  /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\u30a0-\u30ff\u3000-\u303e\uff01-\uff60\uffe0-\uffe6\u{1f3fb}-\u{1f3ff}]/u;
const NONE = /[\p{Mn}\p{Me}\u200c\u200d]/u;

/** Whether each UTF-16 unit of a text takes one cell; `false` where that isn't known. */
export function isPlain(text) {
  return PLAIN.test(text);
}

/** What `cellsOf` found, plus one, by code point. */
const known = new Uint8Array(0x20000);

/** The cells of one character: 0, 1 or 2. */
export function cellsOf(character) {
  const code = character.codePointAt(0);
  if (code >= known.length) return WIDE.test(character) ? 2 : 1;
  if (known[code] === 0) known[code] = 1 + (NONE.test(character) ? 0 : WIDE.test(character) ? 2 : 1);
  return known[code] - 1;
}

/** The cells of a text. */
export function width(text) {
  if (isPlain(text)) return text.length;
  let cells = 0;
  for (const character of text) cells += cellsOf(character);
  return cells;
}

/**
 * Where in a text a cell is.
 *
 * @returns {{index: number, cell: number}} the index of the first character that begins in the
 *   cell or after it, and the cell in which it begins; `cell` is greater than asked for where a
 *   wide character lies across. Characters without width belong to the one before.
 */
export function locate(text, cell) {
  if (isPlain(text)) {
    const index = Math.min(cell, text.length);
    return { index, cell: index };
  }
  let index = 0;
  let at = 0;
  for (const character of text) {
    const cells = cellsOf(character);
    if (at >= cell && (cells > 0 || index === 0)) break;
    at += cells;
    index += character.length;
  }
  return { index, cell: at };
}
