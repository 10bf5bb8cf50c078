/** The colours of the theme, on the elements of a log. */

import { colorsOf } from "./colors.js";
import { BOLD, GAP, ITALIC, STDERR, STRIKE, UNDERLINE } from "./styles.js";

const CLASSES = [
  [BOLD, "bold"],
  [ITALIC, "italic"],
  [UNDERLINE, "underline"],
  [STRIKE, "strike"],
  [STDERR, "stderr"],
  [GAP, "gap"],
];

/** Gives elements the looks of a transcript, in the theme that the page has now. */
export class Palette {
  #styles;
  #probe;
  #theme;
  #looks = [];

  /**
   * @param {Styles} styles
   * @param {HTMLElement} probe an element in the log, to read colours from
   */
  constructor(styles, probe) {
    this.#styles = styles;
    this.#probe = probe;
  }

  /** Reads the theme anew. */
  refresh() {
    this.#theme = {
      text: this.#read("--log-text"),
      stderr: this.#read("--log-stderr"),
      background: this.#read("--log-bg"),
      marked: [this.#read("--log-hover"), this.#read("--log-picked")],
      ansi: Array.from({ length: 16 }, (_, index) => this.#read(`--ansi-${index}`)),
    };
    this.#looks = [];
  }

  /** Makes an element look like number `style`. */
  paint(element, style) {
    const { name, color, background } = (this.#looks[style] ??= this.#look(style));
    if (name) element.className = name;
    if (color) element.style.color = color;
    if (background) element.style.backgroundColor = background;
  }

  #look(style) {
    const look = this.#styles.get(style);
    const { color, background } = colorsOf(look, this.#theme);
    return {
      name: CLASSES.filter(([flag]) => look.flags & flag).map(([, name]) => name).join(" "),
      color: color && `rgb(${color})`,
      background: background && `rgb(${background})`,
    };
  }

  #read(variable) {
    this.#probe.style.color = `var(${variable})`;
    const { color } = getComputedStyle(this.#probe);
    const numbers = (color.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
    return color.startsWith("color(") ? numbers.map((part) => Math.round(part * 255)) : numbers;
  }
}

/** Calls `listener` whenever the page's theme changes; returns how to stop that. */
export function onThemeChange(listener) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  dark.addEventListener("change", listener);
  return () => {
    observer.disconnect();
    dark.removeEventListener("change", listener);
  };
}
