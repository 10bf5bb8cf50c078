/** A process's output, live, as a terminal would show it. */

import { h } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { choices, keep } from "./choices.js";
import { Finder } from "./finder.js";
import { hashOf, linesOf } from "./lines.js";
import { Output } from "./output.js";
import { Palette, onThemeChange } from "./palette.js";
import { TextSelection } from "./selection.js";
import { toolbar } from "./toolbar.js";
import { Transcript } from "./transcript.js";
import { LogView } from "./view.js";

/** More rows than the log is ever high, unless it fills the window. */
const MOST_ROWS = 100;

/**
 * Shows a process's output in `container`.
 *
 * @param {HTMLElement} container
 * @param {object} options
 * @param {string} options.processId
 * @param {object | null} options.process
 * @param {Live} options.live
 * @param {object} options.api
 * @param {object} options.context see `main.js`
 * @param {string} [options.hash] of the address, which may name lines to show
 * @returns {{update: (process: object, removed?: boolean) => void, unmount: () => void}}
 */
export function mountLog(container, options) {
  const log = new Log(options);
  log.open(container);
  return {
    update: (process, removed) => log.update(process, removed),
    unmount: () => log.close(),
  };
}

class Log {
  #context;
  #transcript = new Transcript();
  #choices = choices();
  #wanted;
  #picked = null;
  #process;
  #output;
  #element;
  #palette;
  #view;
  #selection;
  #finder;
  #bar;
  #empty = h("p", { class: "log-empty" });
  #jump = h("button", { type: "button", class: "button primary log-jump", hidden: true, on: { click: () => this.#toEnd() } });
  /** How many lines there were when the end was left: those behind it are new. */
  #leftAt = 0;
  #fitted = 0;
  #off;

  constructor({ processId, process, live, api, context, hash = "" }) {
    this.#context = context;
    this.#process = process;
    this.#wanted = linesOf(hash);
    const probe = h("span", { hidden: true });
    this.#palette = new Palette(this.#transcript.styles, probe);
    this.#view = new LogView(this.#transcript, this.#palette, {
      times: (time) => this.#timeOf(time),
      onDraw: () => this.#onDraw(),
      pinned: () => this.#selection.keys(),
    });
    this.#view.following = this.#wanted === null;
    this.#selection = new TextSelection(this.#view, this.#transcript);
    this.#finder = new Finder(this.#transcript, this.#view, context.announce);
    this.#bar = toolbar({
      finder: this.#finder.element, href: outputUrl(api, processId), name: `${processId}.log`,
      toggle: {
        wrap: () => this.#choose("wrap"), times: () => this.#choose("times"),
        follow: () => this.#view.follow(!this.#view.following), expand: () => this.#expand(),
      },
    });
    this.#element = h("div", { class: "log", on: { keydown: (event) => this.#onKey(event), click: (event) => this.#onClick(event) } },
      probe, this.#bar.element, h("div", { class: "log-pane" }, this.#view.element, this.#empty, this.#jump));
    this.#output = new Output(this.#transcript, live, processId, {
      onChange: () => this.#view.draw(),
      onRestart: () => this.#finder.restart(),
    });
  }

  open(container) {
    container.append(this.#element);
    this.#palette.refresh();
    this.#apply();
    this.#view.open();
    const onHash = () => this.#want(location.hash);
    addEventListener("hashchange", onHash);
    this.#off = [
      () => removeEventListener("hashchange", onHash),
      onThemeChange(() => {
        this.#palette.refresh();
        this.#view.redraw();
      }),
      this.#context.shortcuts.register(this.#keys(), "Output"),
    ];
  }

  update(process, removed = false) {
    if (!removed) this.#output.present(process.startTime !== this.#process?.startTime);
    this.#process = process;
    this.#view.draw();
  }

  close() {
    for (const off of this.#off) off();
    this.#output.close();
    this.#finder.close();
    this.#selection.close();
    this.#view.close();
    this.#element.remove();
  }

  #keys() {
    return {
      "/": { help: "Find in the output", run: () => this.#finder.focus() },
      n: { help: "Next match", run: () => this.#finder.go(1) },
      N: { help: "Match before", run: () => this.#finder.go(-1) },
      G: { help: "To the end, and follow it", run: () => this.#toEnd() },
      g: { help: "To the beginning", run: () => this.#toStart() },
      w: { help: "Wrap long lines, or don't", run: () => this.#choose("wrap") },
      t: { help: "Times of the lines", run: () => this.#choose("times") },
      f: { help: "Fill the window with the output", run: () => this.#expand() },
    };
  }

  #onDraw() {
    const { end, first } = this.#transcript;
    const { following } = this.#view;
    if (this.#wanted && (end > this.#wanted.to || this.#output.done)) this.#showWanted();
    if (following || this.#output.isOld) this.#leftAt = end;
    this.#finder.update();
    this.#bar.update({ lines: end, follow: following, ...this.#choices, expand: this.#element.classList.contains("expanded") });
    this.#showJump(following, end);
    this.#showEmpty(end === first);
    this.#fit();
  }

  #showJump(following, end) {
    const fresh = following ? 0 : end - this.#leftAt;
    const hidden = following || this.#view.isAtEnd;
    const words = fresh > 0 ? `${count(fresh)} new line${fresh === 1 ? "" : "s"}` : "To the end";
    if (this.#jump.hidden !== hidden) this.#jump.hidden = hidden;
    if (!hidden && this.#jump.textContent !== words) this.#jump.replaceChildren(icon("end"), words);
  }

  /** Takes no more room than is needed; while more may come, it doesn't get smaller. */
  #fit() {
    const ended = this.#output.done !== null;
    const rows = Math.min(Math.max(this.#view.rows, ended ? 0 : this.#fitted), MOST_ROWS);
    this.#element.classList.toggle("ended", ended);
    if (rows === this.#fitted) return;
    this.#fitted = rows;
    this.#element.style.setProperty("--log-lines", rows);
  }

  #showEmpty(isEmpty) {
    const status = this.#process?.status;
    const ended = this.#output.done !== null || !["queued", "running", undefined].includes(status);
    const words = ended ? "It wrote no output." : status === "queued" ? "It is waiting to begin." : "Waiting for output…";
    this.#empty.hidden = !isEmpty;
    if (isEmpty && this.#empty.textContent !== words) this.#empty.textContent = words;
  }

  #toEnd() {
    this.#view.follow(true);
    this.#view.element.focus({ preventScroll: true });
  }

  #toStart() {
    if (this.#transcript.end > this.#transcript.first) this.#view.goTo(this.#transcript.first);
  }

  #choose(name) {
    this.#choices[name] = !this.#choices[name];
    keep(this.#choices);
    this.#apply();
    this.#view.redraw();
  }

  #apply() {
    this.#view.wrap = this.#choices.wrap;
    this.#element.classList.toggle("with-times", this.#choices.times);
    this.#element.classList.toggle("wrapped", this.#choices.wrap);
  }

  #expand() {
    this.#element.classList.toggle("expanded");
    this.#view.redraw();
  }

  #want(hash) {
    this.#wanted = linesOf(hash);
    if (this.#wanted) this.#view.follow(false);
  }

  /** Shows the lines that the address names; as far as there are any. */
  #showWanted() {
    const { from, to } = this.#wanted;
    this.#wanted = null;
    this.#picked = from;
    this.#view.selected = { from, to };
    const { first, end } = this.#transcript;
    if (end > first) this.#view.goTo(Math.max(first, Math.min(from, end - 1)));
    this.#view.redraw();
  }

  /** Picks out the line whose number was clicked, or with shift all up to it. */
  #onClick(event) {
    const link = event.target.closest?.(".log-number");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const { number } = this.#view.rowAt(link);
    const other = event.shiftKey && this.#picked !== null ? this.#picked : number;
    this.#picked = other;
    this.#view.selected = { from: Math.min(number, other), to: Math.max(number, other) };
    history.replaceState(null, "", hashOf(this.#view.selected));
    this.#view.element.focus({ preventScroll: true });
    this.#view.follow(false);
    this.#view.redraw();
  }

  #onKey(event) {
    const find = event.key === "f" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    if (find) this.#finder.focus();
    else if (event.key === "Escape" && this.#element.classList.contains("expanded")) this.#expand();
    else return;
    event.preventDefault();
  }

  #timeOf(time) {
    return this.#choices.times && time > 0 ? clock(new Date(time)) : "";
  }
}

function clock(date) {
  const two = (number) => String(number).padStart(2, "0");
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two);
  return `${parts.join(":")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Where the whole output can be had; nowhere for an id that no address can hold. */
function outputUrl(api, processId) {
  try {
    return api.outputUrl(processId);
  } catch {
    return null;
  }
}
