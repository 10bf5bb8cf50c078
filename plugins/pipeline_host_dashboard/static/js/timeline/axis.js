/** The axis of the timeline: round moments, lines below them, and where now is. */

import { h, replace } from "../dom.js";
import { ticks, toX } from "./scale.js";

const DAY = 86_400_000;
const seconds = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const minutes = format({ hour: "2-digit", minute: "2-digit", hour12: false });
const days = format({ month: "short", day: "numeric" });
const years = format({ year: "numeric", month: "short" });

export class Axis {
  marks = h("div", { class: "tl-marks", "aria-hidden": "true" });
  lines = h("div", { class: "tl-lines", "aria-hidden": "true" });
  #now = h("div", { class: "tl-now" });

  draw(frame, width, now) {
    const marks = ticks(frame, width);
    replace(this.marks, marks.map((mark, index) => {
      const label = h("span", { class: "tl-mark" }, words(mark, marks[index - 1]));
      label.style.transform = `translateX(${toX(frame, width, mark.time)}px)`;
      return label;
    }));
    replace(this.lines, marks.map(({ time }) => line("tl-line", toX(frame, width, time))));
    const x = toX(frame, width, now);
    if (x < 0 || x > width) return;
    this.#now.style.transform = `translateX(${x}px)`;
    this.lines.append(this.#now);
  }
}

function line(name, x) {
  const element = h("div", { class: name });
  element.style.transform = `translateX(${x}px)`;
  return element;
}

/** A mark's words: the day where it begins, or at the first mark where there are several days. */
function words({ time, step }, before) {
  const date = new Date(time);
  if (step >= 300 * DAY) return years.format(date);
  if (step >= DAY) return days.format(date);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
  if (midnight || (!before && date.toDateString() !== new Date().toDateString())) {
    return `${days.format(date)}, ${minutes.format(date)}`;
  }
  return (step < 60_000 ? seconds : minutes).format(date);
}

function format(options) {
  return new Intl.DateTimeFormat(undefined, options);
}
