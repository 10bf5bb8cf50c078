/** Links to lines: `#L12`, `#L12-L20`. */

/** The lines that a link names, from 0, both included; `null` where it names none. */
export function linesOf(hash) {
  const found = /^#L(\d{1,9})(?:-L?(\d{1,9}))?$/.exec(hash);
  if (!found) return null;
  const one = Math.max(1, Number(found[1])) - 1;
  const other = Math.max(1, Number(found[2] ?? found[1])) - 1;
  return { from: Math.min(one, other), to: Math.max(one, other) };
}

/** The link to lines. */
export function hashOf({ from, to }) {
  return from === to ? `#L${from + 1}` : `#L${from + 1}-L${to + 1}`;
}
