/** Times and places: which moment is where, how to zoom, where the axis has its marks. Pure. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const SHORTEST = 2 * SECOND;
export const LONGEST = 20 * 365 * DAY;

const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28, 91, 182, 364, 728, 1456, 3652, 7305].map((n) => n * DAY),
];

/**
 * What is in view: the time from `from` to `to`, in milliseconds since 1970.
 * @typedef {{from: number, to: number}} Frame
 */

/** How far from the left edge a moment is, in pixels. */
export function toX(frame, width, time) {
  return ((time - frame.from) / (frame.to - frame.from)) * width;
}

/** The moment at a place. */
export function toTime(frame, width, x) {
  return frame.from + (x / width) * (frame.to - frame.from);
}

/** Shows `factor` times as much time, with the moment `at` where it was. */
export function zoom(frame, factor, at) {
  const length = frame.to - frame.from;
  const wanted = Math.min(Math.max(length * factor, SHORTEST), LONGEST);
  const part = (at - frame.from) / length;
  const from = at - part * wanted;
  return { from, to: from + wanted };
}

/** Shows what comes `milliseconds` later. */
export function pan(frame, milliseconds) {
  return { from: frame.from + milliseconds, to: frame.to + milliseconds };
}

/** A frame around an extent, with a little room on both sides. */
export function around({ from, to }, room = 0.03) {
  const length = Math.max(to - from, SHORTEST);
  const more = length * room;
  return { from: from - more, to: from + length + more };
}

/**
 * Where the axis has marks: at round moments of the local time.
 *
 * @param {Frame} frame
 * @param {number} width in pixels
 * @param {number} [gap] how far apart they are at least, in pixels
 * @param {number} [offset] minutes that the local time is behind UTC, as `getTimezoneOffset` has it
 * @returns {{time: number, step: number}[]}
 */
export function ticks(frame, width, gap = 96, offset = new Date(frame.from).getTimezoneOffset()) {
  const least = ((frame.to - frame.from) / width) * gap;
  const step = STEPS.find((candidate) => candidate >= least) ?? least;
  const shift = offset * MINUTE;
  const marks = [];
  let time = Math.ceil((frame.from - shift) / step) * step + shift;
  for (; time <= frame.to && marks.length < 500; time += step) marks.push({ time, step });
  return marks;
}

/**
 * The part of a time that is to be drawn, in pixels; at least `least` wide, and no further out of
 * the view than has to be.
 *
 * @returns {{left: number, width: number, side: "in" | "before" | "after"}}
 */
export function place(frame, width, [from, to], least = 2) {
  const margin = 4;
  const left = toX(frame, width, from);
  const right = Math.max(toX(frame, width, to), left + least);
  if (right < 0) return { left: 0, width: 0, side: "before" };
  if (left > width) return { left: width, width: 0, side: "after" };
  const begin = Math.max(left, -margin);
  return { left: begin, width: Math.min(right, width + margin) - begin, side: "in" };
}

/**
 * Which rows are to be drawn.
 *
 * @returns {{first: number, last: number}} up to but without `last`
 */
export function visibleRows(scrollTop, height, rowHeight, count, spare = 6) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare);
  const last = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + spare);
  return { first: Math.min(first, Math.max(last, 0)), last: Math.max(last, 0) };
}
