/** The search in a log: its field, its matches, and going from one to the next. */

import { h } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { Search } from "./search.js";

const SLICE = 8;
const DEBOUNCE = 80;

export class Finder {
  /** The field with its buttons. */
  element;

  #transcript;
  #view;
  #announce;
  #search = null;
  #current = null;
  #wanted = false;
  #timer = 0;
  #field;
  #count = h("span", { class: "log-count" });
  #buttons;

  constructor(transcript, view, announce) {
    this.#transcript = transcript;
    this.#view = view;
    this.#announce = announce;
    this.#field = h("input", {
      class: "log-field", type: "search", placeholder: "Find in the output", "aria-label": "Find in the output",
      spellcheck: "false", autocomplete: "off",
      on: { input: () => this.#later(() => this.#begin(), DEBOUNCE), keydown: (event) => this.#onKey(event) },
    });
    this.#buttons = [this.#button("up", "Previous match (N)", -1), this.#button("down", "Next match (n)", 1)];
    this.element = h("div", { class: "log-find", role: "search" }, icon("search"), this.#field, this.#count, this.#buttons);
    this.#show();
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  close() {
    clearTimeout(this.#timer);
  }

  /** Takes up what has been added to the transcript. */
  update() {
    if (this.#search === null) return;
    if (!this.#search.isDone) this.#later(() => this.#scan());
    else this.#show();
  }

  /** Searches again from the start, as the transcript began anew. */
  restart() {
    if (this.#search) this.#begin();
  }

  /** Goes to the next match, or with -1 to the one before; around the ends. */
  go(direction) {
    if (this.#search === null) return false;
    if (this.#search.count === 0) return true;
    const here = this.#current ?? { number: this.#view.topLine, start: 0 };
    const place = this.#search.from(here.number, here.start);
    const found = this.#search.count;
    const isHere = this.#current !== null;
    const next = direction > 0 ? place + (isHere ? 1 : 0) : place - 1;
    this.#select((next + found) % found);
    return true;
  }

  #begin() {
    const text = this.#field.value;
    this.#search = text ? new Search(this.#transcript, text) : null;
    this.#current = null;
    this.#wanted = Boolean(text);
    this.#view.marks = this.#search && ((...part) => this.#marks(...part));
    this.#view.redraw();
    this.#scan();
  }

  /** Looks on for a moment, and again until all was looked at. */
  #scan() {
    if (this.#search === null) {
      this.#show();
      return;
    }
    const end = performance.now() + SLICE;
    this.#search.step(() => performance.now() > end);
    if (!this.#search.isDone) this.#later(() => this.#scan());
    else if (this.#wanted) this.#first();
    this.#show();
  }

  /** Goes to the first match in what is seen or after it. */
  #first() {
    this.#wanted = false;
    const found = this.#search.count;
    if (found > 0) this.#select(this.#search.from(this.#view.topLine) % found);
    else this.#announce("No match");
  }

  #select(place) {
    this.#current = this.#search.at(place);
    this.#view.goTo(this.#current.number, this.#current.start);
    this.#view.redraw();
    this.#show();
    this.#announce(`Match ${place + 1} of ${this.#search.count}, line ${this.#current.number + 1}`);
  }

  /** The matches in a part of a line. */
  #marks(number, text, from, to) {
    const { pattern } = this.#search;
    const reach = 2 * this.#field.value.length;
    const start = Math.max(0, from - reach);
    const current = this.#current?.number === number ? this.#current.start : -1;
    return Array.from(text.slice(start, to + reach).matchAll(pattern), ({ index, 0: found }) => ({
      start: start + index, end: start + index + found.length, current: start + index === current,
    }));
  }

  #show() {
    const search = this.#search;
    const found = search?.count ?? 0;
    const place = search && this.#current ? search.from(this.#current.number, this.#current.start) + 1 : 0;
    const all = `${count(found)}${search?.isFull ? "+" : ""}`;
    if (search === null) this.#tell("");
    else if (!search.isDone) this.#tell(`${all}…`);
    else this.#tell(found === 0 ? "none" : `${count(place)}/${all}`);
    for (const button of this.#buttons) button.disabled = found === 0;
    this.element.classList.toggle("fruitless", search !== null && search.isDone && found === 0);
  }

  #tell(words) {
    if (this.#count.textContent !== words) this.#count.textContent = words;
  }

  #onKey(event) {
    if (event.key === "Enter") this.go(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      this.#field.value = "";
      this.#begin();
      this.#view.element.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #later(run, delay = 0) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, delay);
  }

  #button(name, label, direction) {
    return h("button", {
      type: "button", class: "icon-button", title: label, "aria-label": label, on: { click: () => this.go(direction) },
    }, icon(name));
  }
}
