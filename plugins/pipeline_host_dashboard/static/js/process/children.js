/** The processes that belong to this one, as a table. */

import { h, replace, setProp, text } from "../dom.js";
import { count, elapsed, fullTime, time } from "../format.js";
import { icon } from "../icons.js";
import { Owed } from "../owed.js";
import { processHref } from "../router.js";

const AT_FIRST = 20;
const AT_ONCE = 100;
const MOST_AT_ONCE = 500;

export class Children {
  element = h("section", { class: "panel children", "aria-labelledby": "children-title", hidden: true });
  #id;
  #context;
  #rows = new Map();
  /** How many rows there may be in the page; those who want more ask for them. */
  #limit = AT_FIRST;
  /** What was told while they are read: the last summary of each, `null` where it is gone. */
  #changed = new Map();
  #body = h("tbody", null);
  #title = h("h2", { id: "children-title" });
  #more;
  #total = 0;
  #reading;

  constructor({ id, context }) {
    this.#id = id;
    this.#context = context;
    this.#reading = new Owed(context.live, (signal) => this.#read(signal), (error) => this.#fail(error));
    this.#more = h("button", { type: "button", class: "button small", hidden: true, on: { click: () => this.#showMore() } }, "Show more");
    const heads = ["Status", "What", "Type", "Started", "Time"].map((name) =>
      h("th", { scope: "col", class: `col-${name.toLowerCase()}` }, name));
    replace(this.element,
      h("div", { class: "panel-head" }, this.#title),
      h("table", { class: "children-table", "aria-labelledby": "children-title" },
        h("thead", null, h("tr", null, heads)), this.#body),
      this.#more);
  }

  update() {}

  unmount() {
    this.#reading.close();
  }

  /** Reads them anew. */
  load() {
    return this.#reading.now();
  }

  /** Takes a change of any process. */
  take({ process, processId, processIds }) {
    const isCounted = process ? this.#takeOne(process) : this.#takeRemoved(processIds ?? [processId]);
    if (!isCounted) return;
    this.#show();
    this.#reading.soon();
  }

  #takeOne(process) {
    if (process.parentProcessId !== this.#id) return false;
    if (this.#reading.isReading) this.#changed.set(process.id, process);
    const isKnown = this.#rows.has(process.id);
    if (isKnown || this.#rows.size < this.#limit) this.#put(process);
    return !isKnown;
  }

  #takeRemoved(ids) {
    const { isReading } = this.#reading;
    for (const id of ids) {
      if (isReading) this.#changed.set(id, null);
      this.#drop(id);
    }
    // It may have been one of those that are not in the page.
    return isReading || this.#total > 0;
  }

  /** Shows the time that went by. */
  tick() {
    for (const row of this.#rows.values()) if (!row.process.endTime) row.took.textContent = elapsed(row.process);
  }

  #showMore() {
    this.#limit += AT_ONCE;
    this.load();
  }

  /** Reads as many of them as are to be shown, and how many there are. */
  async #read(signal) {
    this.#changed.clear();
    const found = new Map();
    let total;
    let cursor;
    do {
      const limit = Math.min(MOST_AT_ONCE, this.#limit - found.size);
      const page = await this.#context.api.rows({ parent: this.#id, limit, cursor }, { signal });
      signal.throwIfAborted();
      for (const process of page.processes) found.set(process.id, process);
      ({ total, nextCursor: cursor } = page);
    } while (cursor && found.size < this.#limit);
    this.#fill(found);
    this.#total = total; // Rows that gave way to others are still counted.
    this.#show();
  }

  #fill(found) {
    for (const [id, newer] of this.#changed) {
      if (newer === null) found.delete(id);
      else if (found.has(id)) found.set(id, newer);
    }
    for (const id of [...this.#rows.keys()]) if (!found.has(id)) this.#drop(id);
    for (const process of found.values()) this.#put(process);
  }

  #fail(error) {
    if (error.status !== 0) this.#context.toast(error.message);
  }

  #put(process) {
    const known = this.#rows.get(process.id);
    if (known && isSame(known.process, process)) return;
    const row = makeRow(process);
    this.#rows.set(process.id, row);
    if (known) {
      const focused = known.element.contains(document.activeElement);
      known.element.replaceWith(row.element);
      if (focused) row.element.querySelector("a").focus();
    } else this.#body.insertBefore(row.element, this.#after(process));
  }

  /** The row before which one belongs: most come last. */
  #after(process) {
    let next = null;
    for (let row = this.#body.lastElementChild; row; row = row.previousElementSibling) {
      if (row.dataset.start <= process.startTime) break;
      next = row;
    }
    return next;
  }

  #drop(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    row.element.remove();
    this.#rows.delete(id);
    this.#total -= 1;
  }

  #show() {
    const all = Math.max(this.#total, this.#rows.size);
    this.element.hidden = this.#rows.size === 0;
    this.#title.textContent = `Belonging to it (${count(all)})`;
    setProp(this.#more, "hidden", this.#total <= this.#rows.size);
  }
}

function isSame(a, b) {
  return ["promptPreview", "status", "type", "startTime", "endTime"].every((name) => a[name] === b[name]);
}

function makeRow(process) {
  const { id, promptPreview, status, type, startTime } = process;
  const took = h("td", { class: "col-time" }, elapsed(process));
  const element = h("tr", { dataset: { start: startTime } },
    h("td", { class: "col-status" }, h("span", { class: "status", dataset: { status } }, icon(status), h("span", null, status))),
    h("td", { class: "col-what" }, h("a", { href: processHref(id) }, text(promptPreview || id))),
    h("td", { class: "col-type" }, text(type)),
    h("td", { class: "col-started", title: fullTime(startTime) }, time(startTime)),
    took);
  return { process, element, took };
}
