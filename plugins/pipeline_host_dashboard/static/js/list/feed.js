/** What the list shows, read page by page and kept up to date. */

import { matches, shownStatuses, toRequest } from "./filters.js";
import { Model } from "./model.js";

const PAGE = 50;
const DEEPEST = 300;
const CHILDREN = 500;
const ASKED_AT_ONCE = 100;
const QUIET_MS = 200;
/** How many times as long as the last answer took to wait before asking again. */
const PATIENCE = 4;

export class Feed {
  /** How many match, by status; `null` until it was read. */
  counts = null;
  expanded = new Set();

  #api;
  #tell;
  #offs;
  #reading = new AbortController();
  #asked = nothing();
  #timer = null;
  #pause = QUIET_MS;
  /** For each reading that goes on, what was told meanwhile. */
  #meanwhile = new Set();

  /**
   * @param {object} filters
   * @param {{api: object, live: object}} context
   * @param {object} tell `onChange()`, `onLoaded()` when all was read anew, `onFailure(error)` when
   *   that failed, `onError(error)` when something smaller did
   */
  constructor(filters, { api, live }, tell) {
    this.#api = api;
    this.#tell = tell;
    this.filters = filters;
    this.model = new Model(filters);
    this.#offs = [
      live.on("change", (message) => this.#hear(message)),
      live.on("resync", () => this.load({ keep: true })),
    ];
  }

  close() {
    for (const off of this.#offs) off();
    this.#reading.abort();
    clearTimeout(this.#timer);
  }

  get statuses() {
    return shownStatuses(this.filters);
  }

  /** How many rows of each group were read. */
  get depth() {
    return Object.fromEntries(
      [...this.model.pagers].map(([status, pager]) => [status, pager.count]),
    );
  }

  narrow(filters) {
    this.filters = filters;
    return this.load();
  }

  /**
   * Reads all anew.
   *
   * @param {object} [options]
   * @param {boolean} [options.keep] as far down as before
   * @param {Record<string, number>} [options.depth] so far down
   */
  async load({ keep = false, depth = keep ? this.depth : {} } = {}) {
    this.#reading.abort();
    this.#reading = new AbortController();
    const { signal } = this.#reading;
    const model = new Model(this.filters);
    const size = (status) => Math.min(DEEPEST, Math.max(PAGE, depth[status] ?? 0));
    const reading = () =>
      Promise.all([
        this.#api.counts(toRequest(this.filters), { signal }),
        ...this.statuses.map((status) => this.#read(model, status, size(status))),
        ...(model.flat ? [] : [...this.expanded].map((id) => this.#readChildren(model, id))),
      ]);
    try {
      await this.#upToDate(model, reading, ([counts]) => {
        signal.throwIfAborted();
        this.counts = counts;
        this.model = model;
      });
    } catch (error) {
      if (!signal.aborted) this.#tell.onFailure(error);
      return;
    }
    this.#tell.onLoaded({ isUpdate: keep });
    this.#tell.onChange();
  }

  /** Reads a group's next page. */
  async more(status) {
    const { model } = this;
    const pager = model.pager(status);
    if (pager.done || pager.loading || pager.reached === null) return;
    await this.#guarded(() => this.#read(model, status, PAGE));
    if (model === this.model) this.#tell.onChange();
  }

  /** Shows or hides what belongs to a row. */
  toggle(id, expanded) {
    const { model } = this;
    if (expanded) this.expanded.add(id);
    else this.expanded.delete(id);
    this.#tell.onChange();
    if (!expanded) return;
    this.#guarded(async () => {
      await this.#readChildren(model, id);
      this.#tell.onChange();
    });
  }

  /** Takes rows that were read elsewhere. */
  take(rows) {
    for (const row of rows) this.model.put(row);
    this.#tell.onChange();
  }

  isExpandable(row) {
    return !this.model.flat && (!!row.children || this.model.hasChildren(row.id));
  }

  async #read(model, status, limit) {
    const pager = model.pager(status);
    const { workspace, type, q } = toRequest(model.filters);
    const query = {
      workspace,
      type,
      q,
      status,
      limit,
      cursor: pager.cursor,
      top: !model.flat || null,
    };
    const { signal } = this.#reading;
    pager.loading = true;
    try {
      await this.#upToDate(
        model,
        () => this.#api.rows(query, { signal }),
        (page) => {
          for (const row of page.processes) model.put(q ? { ...row, found: q } : row);
          pager.take(page);
        },
      );
    } finally {
      pager.loading = false;
    }
  }

  async #readChildren(model, id) {
    const { signal } = this.#reading;
    const reading = () => this.#api.rows({ parent: id, limit: CHILDREN }, { signal });
    await this.#upToDate(model, reading, ({ processes }) => {
      for (const row of processes) model.put(row);
    });
  }

  /** Takes an answer, and then what was told while it was on its way, which may be newer. */
  async #upToDate(model, read, take) {
    const heard = [];
    this.#meanwhile.add(heard);
    try {
      take(await read());
      for (const message of heard) this.#apply(model, message);
    } finally {
      this.#meanwhile.delete(heard);
    }
  }

  #hear(message) {
    for (const heard of this.#meanwhile) heard.push(message);
    this.#asked.counts = true;
    this.#apply(this.model, message);
    this.#tell.onChange();
    this.#askSoon();
  }

  #apply(model, message) {
    if (message.type === "process-removed") this.#remove(model, message.processId);
    else if (message.type === "processes-cleared") {
      const orphans = message.processIds.some((id) => model.hasChildren(id));
      for (const id of message.processIds) this.#remove(model, id);
      if (orphans) this.#asked.all = true;
    } else if (message.process) this.#put(model, message.process);
  }

  #put(model, process) {
    const { filters } = model;
    const { id, parentProcessId: parent } = process;
    const isKnown = model.rows.has(id);
    const wantsParent = model.wantsParent(process);
    const isPart = parent && (wantsParent || model.rows.has(parent));
    if (filters.workspace && process.workspaceId !== filters.workspace && !isPart && !isKnown)
      return;
    if (parent) (wantsParent ? this.#asked.parents : this.#asked.rows).add(parent);
    if (isKnown) this.#asked.rows.add(id);
    else if (matches(filters, process) === undefined) this.#asked.all = true;
    model.put(process);
  }

  #remove(model, id) {
    const hadChildren = model.hasChildren(id);
    const row = model.remove(id);
    this.expanded.delete(id);
    if (row?.parentProcessId) this.#asked.rows.add(row.parentProcessId);
    if (hadChildren) model.miss([id]);
  }

  #askSoon() {
    this.#timer ??= setTimeout(() => this.#ask(), this.#pause);
  }

  /** Asks for what messages don't tell: counts, exit codes, parents, what is in a prompt. */
  async #ask() {
    const { parents, rows, all } = this.#asked;
    this.#asked = nothing();
    const begin = performance.now();
    await this.#guarded(() => (all ? this.load({ keep: true }) : this.#readAsked(parents, rows)));
    this.#pause = Math.max(QUIET_MS, PATIENCE * (performance.now() - begin));
    this.#timer = null;
    const { counts, all: again, parents: more, rows: others } = this.#asked;
    if (counts || again || more.size + others.size > 0) this.#askSoon();
  }

  async #readAsked(parents, rows) {
    const { model } = this;
    const { signal } = this.#reading;
    const known = [...rows].filter((id) => model.rows.has(id));
    const ids = [...new Set([...parents, ...known])].slice(-ASKED_AT_ONCE);
    const { workspace } = model.filters;
    const isListed = (row) => model.rows.has(row.id) || !workspace || row.workspaceId === workspace;
    const reading = () =>
      Promise.all([
        ids.length > 0 ? this.#api.rowsOf(ids, { signal }) : [],
        this.#api.counts(toRequest(model.filters), { signal }),
      ]);
    await this.#upToDate(model, reading, ([found, counts]) => {
      if (model === this.model) this.counts = counts;
      for (const row of found.filter(isListed)) model.put(row);
      model.miss(parents);
    });
    this.#tell.onChange();
  }

  /** Does something that may fail without harm: a lost connection is told of by the banner. */
  async #guarded(act) {
    try {
      await act();
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 0) this.#tell.onError(error);
    }
  }
}

function nothing() {
  return { parents: new Set(), rows: new Set(), counts: false, all: false };
}
