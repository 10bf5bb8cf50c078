/** The processes that belong to this one, as a table. */

import { h, replace, setProp, text } from "../dom.js";
import { count, elapsed, fullTime, time } from "../format.js";
import { icon } from "../icons.js";
import { processHref } from "../router.js";

const AT_FIRST = 20;
const AT_ONCE = 100;

export class Children {
  element = h("section", { class: "panel children", "aria-labelledby": "children-title", hidden: true });
  #id;
  #context;
  #rows = new Map();
  #changed = new Map();
  #body = h("tbody", null);
  #title = h("h2", { id: "children-title" });
  #more;
  #cursor = undefined;
  #total = 0;
  #loading = null;

  constructor({ id, context }) {
    this.#id = id;
    this.#context = context;
    this.#more = h("button", { type: "button", class: "button small", hidden: true, on: { click: () => this.#next() } }, "Show more");
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
    this.#loading?.abort();
  }

  /** Reads them anew. */
  async load() {
    this.#loading?.abort();
    this.#cursor = undefined;
    this.#changed.clear();
    await this.#next({ anew: true });
  }

  /** Takes a change of any process. */
  take({ type, process, processId, processIds }) {
    if (process) {
      if (process.parentProcessId !== this.#id) return;
      this.#changed.set(process.id, process);
      if (type === "process-added" && !this.#rows.has(process.id)) this.#total += 1;
      this.#put(process);
    } else {
      for (const id of processIds ?? [processId]) {
        this.#changed.set(id, null);
        this.#drop(id);
      }
    }
    this.#show();
  }

  /** Shows the time that went by. */
  tick() {
    for (const row of this.#rows.values()) if (!row.process.endTime) row.took.textContent = elapsed(row.process);
  }

  async #next({ anew = false } = {}) {
    const loading = (this.#loading = new AbortController());
    const query = { parent: this.#id, limit: anew ? AT_FIRST : AT_ONCE, cursor: this.#cursor };
    let page;
    try {
      page = await this.#context.api.list(query, { signal: loading.signal });
    } catch (error) {
      if (error.name !== "AbortError") this.#context.toast(error.message);
      return;
    }
    if (anew) for (const id of [...this.#rows.keys()]) this.#drop(id);
    this.#total = page.total;
    this.#cursor = page.nextCursor;
    for (const process of page.processes) {
      const newer = this.#changed.get(process.id);
      if (newer !== null) this.#put(newer ?? process);
    }
    for (const newer of this.#changed.values()) if (newer) this.#put(newer);
    this.#show();
  }

  #put(process) {
    const known = this.#rows.get(process.id);
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
    setProp(this.#more, "hidden", !this.#cursor);
  }
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
