/** Processes as bars over time: what ran when, and what waited. */

import { command, runLine } from "../commands.js";
import { h, replace, text } from "../dom.js";
import { count, now } from "../format.js";
import { Chart } from "./chart.js";
import { Feed } from "./feed.js";
import { around, pan, zoom } from "./scale.js";
import { Table } from "./table.js";
import { RANGES, Toolbar } from "./toolbar.js";

const TICK = 1000;
const ENOUGH = 12;
const STEP = 0.15;
const ROOM = 0.03;

export function mount(container, params, context) {
  const view = new TimelineView(container, context);
  return { unmount: () => view.unmount() };
}

class TimelineView {
  #context;
  #place;
  #body = h("div", { class: "tl-body" });
  #toolbar;
  #feed;
  #view = null;
  #workspace;
  #range;
  /** The range that is shown while none is chosen. */
  #fitting = null;
  #table;
  /** What was zoomed or panned to; nothing while the range is shown as it is. */
  #moved = null;
  #frame = null;
  #closed = new Set();
  #off;
  #timer;
  #queued = 0;
  /** What is said instead of a view, so that it is built once. */
  #said = null;

  constructor(container, context) {
    this.#context = context;
    const { query } = context.router.current();
    this.#workspace = query.get("workspace");
    this.#range = Object.hasOwn(RANGES, query.get("range") ?? "") ? query.get("range") : null;
    this.#table = query.get("view") === "table";
    this.#toolbar = new Toolbar(context.workspaces, {
      workspace: (id) => this.#choose({ workspace: id || null }),
      range: (name) => this.#choose({ range: name }),
      table: () => this.#choose({ table: !this.#table }),
      zoomBy: (factor) => this.#zoomBy(factor),
      back: () => this.#back(),
    });
    this.#place = h("div", { class: "timeline" }, this.#toolbar.element, this.#body);
    container.append(this.#place);
    this.#off = this.#keys();
    this.#timer = setInterval(() => document.hidden || this.#schedule(), TICK);
    this.#open();
  }

  unmount() {
    clearInterval(this.#timer);
    cancelAnimationFrame(this.#queued);
    this.#off();
    this.#toolbar.unmount();
    this.#feed.close();
    this.#view?.unmount();
  }

  #keys() {
    const step = (direction) => () => this.#panBy(direction * STEP);
    const move = (by) => () => this.#view?.move(by) ?? undefined;
    return this.#context.shortcuts.register({
      j: { help: "Next process", run: move(1) },
      k: { help: "Process before", run: move(-1) },
      ArrowDown: { run: move(1) },
      ArrowUp: { run: move(-1) },
      o: { help: "Show or hide what belongs to it", run: () => this.#toggle(this.#view?.active) },
      ArrowLeft: { help: "Earlier", run: step(-1) },
      ArrowRight: { help: "Later", run: step(1) },
      "+": { help: "Zoom in", run: () => this.#zoomBy(1 / 1.5) },
      "=": { run: () => this.#zoomBy(1 / 1.5) },
      "-": { help: "Zoom out", run: () => this.#zoomBy(1.5) },
      0: { help: "Back to the whole time", run: () => this.#back() },
      t: { help: "As a table, or as a chart", run: () => this.#choose({ table: !this.#table }) },
    }, "Timeline");
  }

  #open() {
    this.#feed?.close();
    this.#feed = new Feed(this.#context, this.#workspace, () => this.#schedule());
    this.#schedule();
  }

  /** Shows something else, and puts it into the address. */
  #choose({ workspace = this.#workspace, range = this.#range, table = this.#table }) {
    const other = workspace !== this.#workspace;
    if (other || range !== this.#range) this.#moved = null;
    if (other) this.#fitting = null;
    this.#workspace = workspace;
    this.#range = range;
    if (table !== this.#table) this.#leave();
    this.#table = table;
    const query = new URLSearchParams();
    if (workspace) query.set("workspace", workspace);
    if (range) query.set("range", range);
    if (table) query.set("view", "table");
    this.#context.router.setQuery(query);
    if (other) this.#open();
    else this.#schedule();
  }

  #schedule() {
    this.#queued ||= requestAnimationFrame(() => {
      this.#queued = 0;
      this.#draw();
    });
  }

  #draw() {
    const { spans, state } = this.#feed;
    if (spans.size === 0) {
      this.#leave();
      this.#sayNothing(state);
      return;
    }
    const time = now();
    const extent = spans.extent(time);
    if (state === "ready") this.#fitting ??= spans.fitting(RANGES, ENOUGH, time);
    const range = this.#range ?? this.#fitting ?? "all";
    const from = RANGES[range] ? time - RANGES[range] : undefined;
    const whole = from === undefined ? around(extent, ROOM) : { from, to: time + RANGES[range] * ROOM };
    this.#frame = this.#moved ?? whole;
    this.#place.dataset.view = this.#table ? "table" : "chart";
    this.#toolbar.show({ workspace: this.#workspace, range, table: this.#table, moved: this.#moved !== null });
    const rows = spans.rows({ from, now: time, closed: this.#closed });
    this.#note(rows.length);
    this.#mounted().title(`${count(rows.length)} processes`);
    this.#view.show(rows, this.#frame, time);
  }

  #mounted() {
    if (!this.#view) {
      this.#said = null;
      this.#view = this.#table ? new Table() : new Chart({
        toggle: (id) => this.#toggle(id),
        reveal: (id) => this.#reveal(id),
        resized: () => this.#schedule(),
        pan: (milliseconds) => this.#move(pan(this.#frame, milliseconds)),
        zoom: (factor, at) => this.#move(zoom(this.#frame, factor, at)),
      });
      replace(this.#body, this.#view.element);
    }
    return this.#view;
  }

  #leave() {
    this.#view?.unmount();
    this.#view = null;
  }

  #note(rows) {
    const { more, spans, state, error } = this.#feed;
    if (state === "failed") this.#toolbar.note(error.message);
    else if (rows === 0) this.#toolbar.note("Nothing ran in this time.");
    else this.#toolbar.note(more ? `The newest ${count(spans.size)} of them` : "");
  }

  #sayNothing(state) {
    const { error } = this.#feed;
    this.#toolbar.show({ workspace: this.#workspace, range: this.#range ?? "all", table: this.#table, moved: false });
    this.#toolbar.note("");
    const said = `${state} ${error?.message}`;
    if (said === this.#said) return;
    this.#said = said;
    if (state === "loading") replace(this.#body, h("p", { class: "tl-loading hint" }, "Loading…"));
    else if (state === "failed") {
      replace(this.#body, h("div", { class: "empty" }, h("h2", null, "The timeline can't be shown now"),
        h("p", null, text(error.message)),
        h("button", { type: "button", class: "button", on: { click: () => this.#feed.load() } }, "Try again")));
    } else {
      replace(this.#body, h("div", { class: "empty" }, h("h2", null, "Nothing has run here yet"),
        h("p", null, "Each process is a bar from when it started to when it ended. To see one:"),
        command(this.#context, runLine())));
    }
  }

  #toggle(id) {
    if (id === null || id === undefined) return;
    if (!this.#closed.delete(id)) this.#closed.add(id);
    this.#schedule();
  }

  /** Brings a bar into view that lies before or after it. */
  #reveal(id) {
    const span = this.#feed.spans.get(id);
    if (!span) return;
    const middle = (span.start + (span.end ?? now())) / 2;
    this.#move(pan(this.#frame, middle - (this.#frame.from + this.#frame.to) / 2));
  }

  #zoomBy(factor) {
    if (!this.#frame) return;
    const { from, to } = this.#frame;
    const time = now();
    const at = time >= from && time <= to && this.#moved === null ? time : (from + to) / 2;
    this.#move(zoom(this.#frame, factor, at));
  }

  #panBy(part) {
    if (this.#frame) this.#move(pan(this.#frame, (this.#frame.to - this.#frame.from) * part));
  }

  #move(frame) {
    if (this.#table) return;
    this.#moved = this.#frame = frame;
    this.#schedule();
  }

  #back() {
    this.#moved = null;
    this.#schedule();
  }
}
