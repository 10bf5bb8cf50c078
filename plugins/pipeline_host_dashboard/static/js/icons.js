/** The icons, drawn on a grid of 16 by 16 with lines in the colour of the text around them. */

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  queued: ["M8 4.5V8l2.2 1.6", "M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z"],
  running: ["M8 1.75a6.25 6.25 0 1 1-5.4 3.1", "M6.6 5.6v4.8L10.5 8z"],
  completed: ["M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z", "M5.2 8.2l2 2 3.7-4.2"],
  failed: [
    "M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z",
    "M5.8 5.8l4.4 4.4",
    "M10.2 5.8l-4.4 4.4",
  ],
  cancelled: ["M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z", "M3.7 12.3l8.6-8.6"],
  list: ["M5.5 4h8", "M5.5 8h8", "M5.5 12h8", "M2.5 4h.01", "M2.5 8h.01", "M2.5 12h.01"],
  timeline: ["M2.5 3.5h6", "M5.5 8h8", "M4 12.5h5"],
  search: ["M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9z", "M10.4 10.4l3.1 3.1"],
  sun: [
    "M8 5.2a2.8 2.8 0 1 1 0 5.6a2.8 2.8 0 0 1 0-5.6z",
    "M8 1.5v1.2",
    "M8 13.3v1.2",
    "M1.5 8h1.2",
    "M13.3 8h1.2",
    "M3.4 3.4l.9.9",
    "M11.7 11.7l.9.9",
    "M3.4 12.6l.9-.9",
    "M11.7 4.3l.9-.9",
  ],
  moon: ["M13.5 9.3A5.8 5.8 0 0 1 6.7 2.5a5.8 5.8 0 1 0 6.8 6.8z"],
  auto: [
    "M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z",
    "M8 1.75v12.5",
    "M8 5l4.6-.5",
    "M8 8h6",
    "M8 11l4.6.5",
  ],
  help: [
    "M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z",
    "M6.2 6.2a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.9.7-.9 1.3",
    "M8 11.4h.01",
  ],
  close: ["M4 4l8 8", "M12 4l-8 8"],
  chevron: ["M6 3.5L10.5 8 6 12.5"],
  down: ["M3.5 6L8 10.5 12.5 6"],
  up: ["M3.5 10L8 5.5l4.5 4.5"],
  back: ["M13 8H3", "M7 4L3 8l4 4"],
  copy: ["M5.5 5.5h7v8h-7z", "M3.5 10.5v-8h7"],
  link: [
    "M6.5 9.5l3-3",
    "M7.5 4.5l1-1a2.8 2.8 0 0 1 4 4l-1 1",
    "M8.5 11.5l-1 1a2.8 2.8 0 0 1-4-4l1-1",
  ],
  trash: ["M2.5 4.5h11", "M6 4.5v-2h4v2", "M4 4.5l.6 9h6.8l.6-9", "M6.8 7v4", "M9.2 7v4"],
  stop: ["M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z", "M5.75 5.75h4.5v4.5h-4.5z"],
  download: ["M8 2.5v7.5", "M4.8 7L8 10.2 11.2 7", "M2.5 13.5h11"],
  wrap: ["M2.5 4h11", "M2.5 8h8.5a2 2 0 0 1 0 4H8", "M9.5 10.2L7.7 12l1.8 1.8", "M2.5 12h2.5"],
  clock: ["M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5z", "M8 4.5V8l2.2 1.6"],
  end: ["M8 2.5v8", "M4.5 7L8 10.5 11.5 7", "M3 13.5h10"],
  plus: ["M8 3v10", "M3 8h10"],
  minus: ["M3 8h10"],
  fit: ["M2.5 5.5v-3h3", "M10.5 2.5h3v3", "M13.5 10.5v3h-3", "M5.5 13.5h-3v-3"],
  expand: ["M2.5 8h11", "M5 5.5L2.5 8 5 10.5", "M11 5.5L13.5 8 11 10.5"],
  filter: ["M2.5 3.5h11L9.5 8.5v4l-3 1.2V8.5z"],
  folder: ["M2.5 12.5v-9h4l1.5 2h5.5v7z"],
  warning: ["M8 2.2l6.2 11.3H1.8z", "M8 6.5v3", "M8 11.6h.01"],
  offline: [
    "M2 2l12 12",
    "M4.6 9.5a4.6 4.6 0 0 1 2-1.2",
    "M2.2 6.8A8 8 0 0 1 5 5.1",
    "M9.6 4.3a8 8 0 0 1 4.2 2.5",
    "M8 12.5h.01",
  ],
  check: ["M3.5 8.5l3 3 6-7"],
  terminal: ["M2 2.5h12v11H2z", "M4.5 6l2 2-2 2", "M8.5 10.5h3"],
};

/**
 * An icon as decoration: hidden from assistive technology, so words must say the same beside it.
 *
 * @param {keyof typeof PATHS} name a status, or one of the others above
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  for (const d of PATHS[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
