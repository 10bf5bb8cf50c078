/** What the list shows, read page by page and kept up to date. */

import { Owed, isFinal } from "../owed.js";
import { Asked } from "./asked.js";
import { matches, shownStatuses, toRequest } from "./filters.js";
import { Model } from "./model.js";
import { Reader } from "./reader.js";

/** How many rows may come to a group until those that nobody looks at are forgotten. */
const GROWN = 1000;

export class Feed {
  /** How many match, by status; `null` until it was read. */
  counts = null;
  expanded = new Set();

  #reader;
  #tell;
  #offs;
  #reading = new AbortController();
  #refresh;
  #asked = new Asked();
  /** What is being asked, or could not be answered. */
  #owed = new Asked();

  /**
   * @param {object} filters
   * @param {{api: object, live: object}} context
   * @param {object} tell `onChange()`, `onLoaded()` when all was read anew, `onFailure(error)` when
   *   that failed, `onError(error)` when something smaller did, `seen()` how many rows of each group
   *   there are down to the last one that is seen
   */
  constructor(filters, { api, live }, tell) {
    this.#reader = new Reader(api, (model, message) => this.#apply(model, message));
    this.#tell = tell;
    this.filters = filters;
    this.model = new Model(filters);
    this.#refresh = new Owed(
      live,
      (signal) => this.#ask(signal),
      (error) => this.#fail(error),
    );
    this.#offs = [
      live.on("change", (message) => this.#hear(message)),
      live.on("resync", () => this.load({ keep: true })),
    ];
  }

  close() {
    for (const off of this.#offs) off();
    this.#reading.abort();
    this.#refresh.close();
  }

  get statuses() {
    return shownStatuses(this.filters);
  }

  /** How many rows of each group there are. */
  get depth() {
    const groups = this.model.groups(this.statuses);
    return Object.fromEntries([...groups].map(([status, rows]) => [status, rows.length]));
  }

  narrow(filters) {
    this.filters = filters;
    return this.load();
  }

  /**
   * Reads all anew; where that fails it is tried again.
   *
   * @param {object} [options]
   * @param {boolean} [options.keep] as far down as before
   * @param {Record<string, number>} [options.depth] so far down
   */
  load({ keep = false, depth = {} } = {}) {
    this.#reading.abort();
    this.#reading = new AbortController();
    // What is to be shown for the first time, and is still owed, is no update.
    const wanted = keep ? (this.#owed.all ?? { isUpdate: true }) : { depth, isUpdate: false };
    this.#owed = new Asked();
    this.#asked = new Asked();
    this.#asked.all = wanted;
    return this.#refresh.now();
  }

  /** Reads a group's next page. */
  more(status) {
    const { model } = this;
    const pager = model.pager(status);
    if (pager.done || pager.loading || pager.reached === null) return;
    this.#orLater(
      (signal) => this.#reader.group(model, status, 0, signal),
      () => this.#asked.pages.add(status),
    );
  }

  /** Reads the next page of what belongs to an expanded row. */
  moreParts(id) {
    const { model } = this;
    if (model.parts(id).done || model.parts(id).loading) return;
    this.#orLater(
      (signal) => this.#reader.parts(model, id, 0, signal),
      () => this.#asked.parts.add(id),
    );
  }

  /** Shows or hides what belongs to a row. */
  toggle(id, expanded) {
    if (expanded) this.expanded.add(id);
    else {
      this.expanded.delete(id);
      this.model.fold(id);
    }
    this.#tell.onChange();
    if (expanded) this.moreParts(id);
  }

  /** Takes rows that were read elsewhere. */
  take(rows) {
    for (const row of rows) this.model.put(row);
    this.#tell.onChange();
  }

  isExpandable(row) {
    return !this.model.flat && (!!row.children || this.model.hasChildren(row.id));
  }

  #hear(message) {
    this.#reader.hear(message);
    this.#apply(this.model, message);
    this.#tell.onChange();
    this.#refresh.soon();
  }

  #apply(model, message) {
    if (message.type === "process-removed") this.#remove(model, message.processId);
    else if (message.type === "processes-cleared")
      for (const id of message.processIds) this.#remove(model, id);
    else if (message.process) this.#put(model, message);
  }

  #put(model, { type, process }) {
    const { filters } = model;
    const { id, parentProcessId: parent } = process;
    if (type === "process-added") model.unmatched.delete(id);
    const isKnown = model.rows.has(id);
    const wantsParent = model.wantsParent(process);
    const isPart = parent && (wantsParent || model.rows.has(parent));
    if (filters.workspace && process.workspaceId !== filters.workspace && !isPart && !isKnown)
      return;
    if (parent) (wantsParent ? this.#asked.parents : this.#asked.rows).add(parent);
    if (isKnown) this.#asked.rows.add(id);
    else if (model.flat && !matches(filters, process)) {
      const isUnknown = matches(filters, process) === undefined && !model.unmatched.has(id);
      if (isUnknown) this.#asked.unknown.add(id);
      return;
    }
    model.put(process);
  }

  #remove(model, id) {
    const hadChildren = model.hasChildren(id);
    const row = model.remove(id);
    this.expanded.delete(id);
    if (row?.parentProcessId) this.#asked.rows.add(row.parentProcessId);
    if (hadChildren) model.miss([id]);
    // What belonged to it stands for itself now, and most of that was not read.
    if (!model.flat && (hadChildren || row?.children)) this.#asked.all ??= { isUpdate: true };
  }

  /** Asks for what messages don't tell: counts, exit codes, parents, what is in a prompt. */
  async #ask(signal) {
    const owed = (this.#owed = this.#asked.with(this.#owed));
    this.#asked = new Asked();
    if (owed.all) await this.#readAll(owed.all, signal);
    else await this.#readAsked(owed, signal).catch((error) => this.#giveUp(owed, error));
    this.#owed = new Asked();
    this.#prune();
    if (owed.all) this.#tell.onLoaded(owed.all);
    this.#tell.onChange();
  }

  /** What is always refused must not take along what is asked for later. */
  #giveUp(owed, error) {
    if (isFinal(error)) {
      this.#owed = new Asked();
      this.model.miss(owed.parents);
      this.#tell.onChange();
    }
    throw error;
  }

  async #readAll({ depth = this.depth }, signal) {
    const model = new Model(this.filters);
    const { model: before } = this;
    const reader = this.#reader;
    const parts = (id) => reader.parts(model, id, before.parts(id).count, signal);
    const reading = () =>
      Promise.all([
        reader.counts(model, signal),
        ...this.statuses.map((status) => reader.group(model, status, depth[status] ?? 0, signal)),
        ...(model.flat ? [] : [...this.expanded].map(parts)),
      ]);
    await reader.upToDate(model, signal, reading, ([counts]) => {
      this.counts = counts;
      this.model = model;
    });
  }

  async #readAsked({ parents, rows, unknown, pages, parts }, signal) {
    const { model } = this;
    const { workspace, q } = toRequest(model.filters);
    const known = [...rows].filter((id) => model.rows.has(id));
    const isListed = (row) => model.rows.has(row.id) || !workspace || row.workspaceId === workspace;
    const reader = this.#reader;
    const reading = () =>
      Promise.all([
        reader.rowsOf(new Set([...parents, ...known]), {}, signal),
        reader.rowsOf(unknown, { q }, signal),
        reader.counts(model, signal),
        ...[...pages].map((status) => reader.group(model, status, 0, signal)),
        ...[...parts].map((id) => reader.parts(model, id, 0, signal)),
      ]);
    await reader.upToDate(model, signal, reading, ([found, matching, counts]) => {
      this.counts = counts;
      for (const row of found.filter(isListed)) model.put(row);
      for (const row of matching) model.put({ ...row, found: q });
      model.miss(parents);
      model.unmatch([...unknown].filter((id) => !model.rows.has(id)));
    });
  }

  /** Forgets what isn't shown, and has a group read anew that grew long above its pages. */
  #prune() {
    const shown = this.model.prune(this.expanded);
    const isLong = ([status, count]) => count > this.model.pager(status).count + GROWN;
    if (![...shown].some(isLong)) return;
    this.#asked.all ??= { isUpdate: true, depth: this.#tell.seen() };
    this.#refresh.soon();
  }

  /** Reads what somebody waits for; where that fails, it is tried again with the rest. */
  async #orLater(read, ask) {
    const { signal } = this.#reading;
    try {
      await read(signal);
    } catch (error) {
      if (signal.aborted) return;
      ask();
      this.#refresh.soon();
      return;
    }
    this.#tell.onChange();
  }

  /** A lost connection is told of by the banner. */
  #fail(error) {
    const { all } = this.#owed;
    if (all && !all.isUpdate) this.#tell.onFailure(error);
    else if (error.status !== 0) this.#tell.onError(error);
  }
}
