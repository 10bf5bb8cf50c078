/** The processes that the list knows of, and which of them are shown where. Pure. */

import { isFlat, matches } from "./filters.js";

const MOST_GENERATIONS = 32;
const MOST_UNMATCHED = 10000;

/** How far a group has been read: pages come newest first, and what is older is not shown yet. */
export class Pager {
  cursor = null;
  /** The start of the oldest process that was read. */
  reached = null;
  done = false;
  loading = false;
  count = 0;

  take({ processes, reached, nextCursor }) {
    this.cursor = nextCursor ?? null;
    this.reached = reached ?? this.reached;
    this.done = nextCursor === undefined;
    this.count += processes.length;
  }

  includes(row) {
    return this.done || (this.reached !== null && row.startTime >= this.reached);
  }
}

export class Model {
  rows = new Map();
  pagers = new Map();
  /** Processes whose prompts don't have what is searched for, as the server said. */
  unmatched = new Set();
  #partPagers = new Map();
  #childrenOf = new Map();
  /** Parents of which it is known that they aren't listed, and those not yet asked for. */
  #missing = new Set();

  constructor(filters) {
    this.filters = filters;
    this.flat = isFlat(filters);
  }

  pager(status) {
    if (!this.pagers.has(status)) this.pagers.set(status, new Pager());
    return this.pagers.get(status);
  }

  /** How far what belongs to an expanded row has been read, the oldest first. */
  parts(id) {
    if (!this.#partPagers.has(id)) this.#partPagers.set(id, new Pager());
    return this.#partPagers.get(id);
  }

  /** Takes it that what belongs to a row isn't shown any more. */
  fold(id) {
    this.#partPagers.delete(id);
  }

  /**
   * Takes what is told of a process: a row, or a message's summary, which says less.
   *
   * @returns {object | undefined} the row as it was before
   */
  put(told) {
    const before = this.rows.get(told.id);
    const row = before ? { ...before, ...cleared(before, told), ...told } : { ...told };
    this.rows.set(row.id, row);
    this.#missing.delete(row.id);
    if (before?.parentProcessId !== row.parentProcessId) {
      this.#leave(before?.parentProcessId, row.id);
      if (row.parentProcessId) {
        if (!this.#childrenOf.has(row.parentProcessId)) {
          this.#childrenOf.set(row.parentProcessId, new Set());
        }
        this.#childrenOf.get(row.parentProcessId).add(row.id);
      }
    }
    return before;
  }

  /** @returns {object | undefined} the row that it was */
  remove(id) {
    const row = this.rows.get(id);
    if (!row) return undefined;
    this.rows.delete(id);
    this.#leave(row.parentProcessId, id);
    return row;
  }

  #leave(parent, id) {
    const ids = this.#childrenOf.get(parent);
    if (ids?.delete(id) && ids.size === 0) this.#childrenOf.delete(parent);
  }

  /** Says that these processes aren't there, or not in this list. */
  miss(ids) {
    for (const id of ids) if (!this.rows.has(id)) this.#missing.add(id);
  }

  /** Says that the prompts of these don't match: they never will, as prompts don't change. */
  unmatch(ids) {
    if (this.unmatched.size > MOST_UNMATCHED) this.unmatched.clear();
    for (const id of ids) this.unmatched.add(id);
  }

  /** Whether it has to be asked if a row's parent is listed. */
  wantsParent(row) {
    const parent = row.parentProcessId;
    return !this.flat && !!parent && !this.rows.has(parent) && !this.#missing.has(parent);
  }

  /** Whether a row stands in its group, and not under another row. */
  isTop(row) {
    if (this.flat || !row.parentProcessId) return true;
    if (this.wantsParent(row)) return false;
    const seen = new Set([row.id]);
    let parent = this.rows.get(row.parentProcessId);
    const isBelow = parent !== undefined;
    for (let n = 0; parent && n < MOST_GENERATIONS; n += 1) {
      if (seen.has(parent.id)) return true; // its own ancestor
      seen.add(parent.id);
      parent = this.rows.get(parent.parentProcessId);
    }
    return !isBelow;
  }

  /** The rows of each group that are shown, newest first. */
  groups(statuses) {
    const groups = new Map(statuses.map((status) => [status, []]));
    for (const row of this.rows.values())
      if (groups.has(row.status) && this.#isShown(row)) groups.get(row.status).push(row);
    for (const group of groups.values()) group.sort(newestFirst);
    return groups;
  }

  #isShown(row) {
    return this.pager(row.status).includes(row) && matches(this.filters, row) && this.isTop(row);
  }

  /** The rows under another one, oldest first. */
  children(id) {
    const ids = this.#childrenOf.get(id) ?? [];
    const rows = [...ids].map((child) => this.rows.get(child));
    return rows.filter((row) => this.#isPart(row)).sort((a, b) => -newestFirst(a, b));
  }

  #isPart(row) {
    const pager = this.#partPagers.get(row.parentProcessId);
    if (!pager || (pager.reached === null && !pager.done)) return false;
    return (pager.done || row.startTime <= pager.reached) && !this.isTop(row);
  }

  /** Whether any row belongs to this one. */
  hasChildren(id) {
    return (this.#childrenOf.get(id)?.size ?? 0) > 0;
  }

  /**
   * Forgets each row that isn't shown, unless it says where another one is.
   *
   * @param {Set<string>} expanded the rows under which others are shown
   * @returns {Map<string, number>} how many of each group are shown
   */
  prune(expanded) {
    const shown = new Map();
    const needed = new Set();
    for (const row of this.rows.values()) {
      const { status, parentProcessId: parent } = row;
      if (this.#isShown(row)) shown.set(status, (shown.get(status) ?? 0) + 1);
      else if (!this.wantsParent(row) && !(expanded.has(parent) && this.#isPart(row))) continue;
      needed.add(row.id);
    }
    for (const id of needed) {
      const parent = this.rows.get(id).parentProcessId;
      if (this.rows.has(parent)) needed.add(parent); // gone through as well, as it comes last
    }
    for (const id of [...this.rows.keys()]) if (!needed.has(id)) this.remove(id);
    return shown;
  }
}

/** What a message would have told if there were any; it leaves out what has no value. */
function cleared(before, told) {
  return {
    error: undefined,
    endTime: undefined,
    exitCode: before.exitCode,
    found: told.found ?? before.found,
  };
}

function newestFirst(a, b) {
  if (a.startTime !== b.startTime) return a.startTime < b.startTime ? 1 : -1;
  if (a.id === b.id) return 0;
  return a.id < b.id ? 1 : -1;
}
