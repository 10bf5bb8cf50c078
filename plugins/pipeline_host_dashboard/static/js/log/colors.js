/** Colours of looks that can be read on the log's background, whatever a program asked for. */

import { BOLD, DIM, GAP, INVERSE, NONE, RGB, STDERR } from "./styles.js";

/** The contrast of small text that WCAG 2 asks for at level AA. */
export const READABLE = 4.5;

const STEPS = [0, 95, 135, 175, 215, 255];

/** A colour of the palette of 256, from the 16 of the theme: `[red, green, blue]`. */
export function paletteColor(index, theme) {
  if (index < 16) return theme.ansi[index];
  if (index >= 232) return Array(3).fill(8 + 10 * (index - 232));
  const cube = index - 16;
  return [STEPS[Math.floor(cube / 36)], STEPS[Math.floor(cube / 6) % 6], STEPS[cube % 6]];
}

/**
 * The colours of a look.
 *
 * @param {{foreground: number, background: number, flags: number}} look
 * @param {{ansi: number[][], text: number[], stderr: number[], background: number[],
 *   marked: number[][]}} theme `marked` are other backgrounds that lines may have
 * @returns {{color: number[] | null, background: number[] | null}} `null` for what the log has anyway
 */
export function colorsOf({ foreground, background, flags }, theme) {
  if (flags & GAP) return { color: null, background: null };
  const plain = flags & STDERR ? theme.stderr : theme.text;
  let front = foreground === NONE ? plain : rgbOf(brightened(foreground, flags), theme);
  let back = background === NONE ? theme.background : rgbOf(background, theme);
  if (flags & INVERSE) [front, back] = [back, front];
  if (flags & DIM) front = mix(front, back, 0.4);
  front = readable(front, same(back, theme.background) ? [back, ...theme.marked] : [back]);
  return {
    color: same(front, theme.text) ? null : front,
    background: same(back, theme.background) ? null : back,
  };
}

/** Bold makes the dark colours bright, as many programs expect. */
function brightened(color, flags) {
  return flags & BOLD && color >= 0 && color < 8 && color !== 0 ? color + 8 : color;
}

function rgbOf(color, theme) {
  if (color >= RGB) return [(color >> 16) & 255, (color >> 8) & 255, color & 255];
  return paletteColor(color, theme);
}

/** `front`, made lighter or darker until it can be read on each of `backs`. */
export function readable(front, backs) {
  const isReadable = (color) => backs.every((back) => contrast(color, back) >= READABLE);
  if (isReadable(front)) return front;
  const ends = [[0, 0, 0], [255, 255, 255]];
  const away = luminance(front) >= luminance(backs[0]) ? ends[1] : ends[0];
  const end = isReadable(away) ? away : ends.find((one) => one !== away);
  let [low, high] = [0, 1];
  for (let step = 0; step < 10; step += 1) {
    const middle = (low + high) / 2;
    if (isReadable(mix(front, end, middle))) high = middle;
    else low = middle;
  }
  return mix(front, end, high);
}

/** The contrast of two colours (WCAG 2): from 1 to 21. */
export function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(color) {
  const [red, green, blue] = color.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mix(one, other, part) {
  return one.map((channel, at) => Math.round(channel + (other[at] - channel) * part));
}

function same(one, other) {
  return one.every((channel, at) => channel === other[at]);
}
