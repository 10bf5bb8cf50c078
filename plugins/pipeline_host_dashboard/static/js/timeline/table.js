/** The timeline as a table: the same in words and numbers. */

import { h, replace, setProp, text } from "../dom.js";
import { count, duration, fullTime, time } from "../format.js";
import { icon } from "../icons.js";
import { processHref } from "../router.js";
import { partsOf } from "./spans.js";

const AT_ONCE = 200;
const HEADS = ["What", "Status", "Started", "Waited", "Ran", "Ended"];

export class Table {
  element;
  #caption = h("caption", { class: "visually-hidden" });
  #body = h("tbody", null);
  #more;
  #lines = new Map();
  #limit = AT_ONCE;
  #last = null;

  constructor() {
    this.#more = h("button", {
      type: "button", class: "button", hidden: true,
      on: { click: () => { this.#limit += AT_ONCE; this.show(...this.#last); } },
    });
    this.element = h("div", { class: "tl-table", role: "region", "aria-label": "Timeline as a table", tabindex: 0 },
      h("table", null, this.#caption,
        h("thead", null, h("tr", null, HEADS.map((name) => h("th", { scope: "col" }, name)))), this.#body),
      this.#more);
  }

  unmount() {}

  show(rows, frame, now) {
    this.#last = [rows, frame, now];
    const shown = rows.slice(0, this.#limit);
    const lines = new Map();
    for (const row of shown) {
      const line = this.#lines.get(row.span.id) ?? makeLine(row.span.id);
      line.put(row, now);
      lines.set(row.span.id, line);
    }
    this.#lines = lines;
    this.#arrange([...lines.values()].map(({ element }) => element));
    const left = rows.length - shown.length;
    setProp(this.#more, "hidden", left === 0);
    this.#more.textContent = `Show more of ${count(left)} others`;
  }

  title(words) {
    if (this.#caption.textContent !== words) this.#caption.textContent = words;
  }

  get active() {
    return document.activeElement?.closest?.("tr[data-id]")?.dataset.id ?? null;
  }

  /** Puts the keyboard at the row `by` rows further down. */
  move(by) {
    const lines = [...this.#lines.values()];
    const at = lines.findIndex(({ element }) => element.contains(document.activeElement));
    const line = lines[Math.min(Math.max(at < 0 ? 0 : at + by, 0), lines.length - 1)];
    line?.element.querySelector("a").focus();
  }

  /** Puts rows into their order and touches none that is in its place. */
  #arrange(elements) {
    for (const [index, element] of elements.entries()) {
      const there = this.#body.children[index];
      if (there !== element) this.#body.insertBefore(element, there ?? null);
    }
    while (this.#body.children.length > elements.length) this.#body.lastElementChild.remove();
  }
}

function makeLine(id) {
  const name = h("a", { href: processHref(id) });
  const what = h("th", { scope: "row" }, name);
  const cells = HEADS.slice(1).map(() => h("td", null));
  const element = h("tr", { dataset: { id } }, what, cells);
  let shown = null;
  let said = null;
  return {
    element,
    put({ span, depth }, now) {
      const { preview, status, start, end } = span;
      const key = JSON.stringify([preview, status, start, end, depth]);
      if (key !== shown) {
        shown = key;
        what.style.setProperty("--depth", Math.min(depth, 8));
        replace(name, text(preview || id));
        replace(cells[0], h("span", { class: "status", dataset: { status } }, icon(status), status));
        moment(cells[1], start);
        moment(cells[4], end);
      }
      const { waited, ran } = partsOf(span, now);
      const took = [waited, ran].map((part) => (part ? duration(part[1] - part[0]) : "–"));
      if (took.join() === said) return;
      said = took.join();
      [cells[2].textContent, cells[3].textContent] = took;
    },
  };
}

function moment(cell, milliseconds) {
  const iso = milliseconds === undefined ? null : new Date(milliseconds).toISOString();
  cell.textContent = iso ? time(iso) : "–";
  setProp(cell, "title", iso && fullTime(iso));
}
