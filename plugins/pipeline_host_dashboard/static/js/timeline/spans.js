/** The processes of a timeline and which rows they make. Pure: knows no page and no clock. */

/**
 * @typedef {object} Span
 * @property {string} id
 * @property {string} preview
 * @property {string} status
 * @property {string} type
 * @property {string | undefined} parent the id of the process that it belongs to
 * @property {string | undefined} error
 * @property {number} start when it was started, in milliseconds since 1970
 * @property {number | undefined} began until when it waited, where it did and that is known
 * @property {number | undefined} end
 */

const MAX_PREVIEW = 300;

/** A process as the timeline needs it. */
export function spanOf(process) {
  return {
    id: process.id,
    preview: process.promptPreview.slice(0, MAX_PREVIEW),
    status: process.status,
    type: process.type,
    parent: process.parentProcessId,
    workspaceId: process.workspaceId,
    error: process.error,
    start: Date.parse(process.startTime),
    began: process.began && Date.parse(process.began),
    end: process.endTime && Date.parse(process.endTime),
  };
}

/**
 * Which parts of its time a process waited and ran.
 *
 * @param {Span} span
 * @param {number} now where an open end is drawn, in milliseconds since 1970
 * @returns {{waited: [number, number] | null, ran: [number, number] | null}}
 */
export function partsOf(span, now) {
  const end = Math.max(span.start, span.end ?? now);
  if (span.status === "queued") return { waited: [span.start, end], ran: null };
  if (span.began === undefined) return { waited: null, ran: [span.start, end] };
  const began = Math.min(Math.max(span.began, span.start), end);
  const never = span.status === "cancelled" && began >= end;
  return { waited: [span.start, began], ran: never ? null : [began, end] };
}

export class Spans {
  #spans = new Map();
  #tree = null;

  get size() {
    return this.#spans.size;
  }

  get(id) {
    return this.#spans.get(id);
  }

  values() {
    return this.#spans.values();
  }

  clear() {
    this.#spans.clear();
    this.#tree = null;
  }

  /**
   * Takes a process as it is now.
   *
   * @param {object} process in short, as lists and changes tell it
   * @param {number} [timestamp] when it became so: then one that waited until now began
   */
  put(process, timestamp) {
    const span = spanOf(process);
    const before = this.#spans.get(span.id);
    span.began ??= before?.began;
    const over = span.status === "running" || span.status === "cancelled";
    if (before?.status === "queued" && over && timestamp) span.began = timestamp;
    this.#spans.set(span.id, span);
    this.#tree = null;
  }

  remove(ids) {
    for (const id of ids) this.#spans.delete(id);
    this.#tree = null;
  }

  /** From the first start to the last end, or `null` where there is nothing. */
  extent(now) {
    let from = Infinity;
    let to = -Infinity;
    for (const span of this.#spans.values()) {
      from = Math.min(from, span.start);
      to = Math.max(to, span.end ?? now, span.start);
    }
    return from <= to ? { from, to } : null;
  }

  /**
   * Which range of time to begin with: the shortest one in which enough processes lie.
   *
   * @param {Record<string, number | null>} ranges their lengths up to now, the shortest first;
   *   none is everything
   * @param {number} enough how many processes there should be in it
   * @returns {string}
   */
  fitting(ranges, enough, now) {
    const ends = [...this.#spans.values()].map(({ start, end }) => end ?? Math.max(now, start)).sort((a, b) => b - a);
    if (ends.length < enough) return "all";
    const length = now - ends[enough - 1];
    return Object.keys(ranges).find((name) => ranges[name] === null || ranges[name] >= length);
  }

  /**
   * The rows from top to bottom: what has no parent here newest first, below each what belongs to
   * it in the order in which it was started.
   *
   * @param {{from?: number, to?: number, now: number, closed?: Set<string>}} options only what
   *   lies at least partly between `from` and `to`, and what that belongs to; without what belongs
   *   to those in `closed`
   * @returns {{span: Span, depth: number, children: number, open: boolean}[]}
   */
  rows({ from = -Infinity, to = Infinity, now, closed = new Set() }) {
    const { roots, children } = (this.#tree ??= grow(this.#spans));
    const shown = Number.isFinite(from) || Number.isFinite(to)
      ? within(this.#spans, roots, children, from, to, now) : null;
    const rows = [];
    const left = [];
    const push = (spans, depth) => {
      for (let i = spans.length - 1; i >= 0; i -= 1) {
        if (!shown || shown.has(spans[i].id)) left.push({ span: spans[i], depth });
      }
    };
    push(roots, 0);
    while (left.length > 0) {
      const { span, depth } = left.pop();
      const below = children.get(span.id) ?? [];
      const open = below.length > 0 && !closed.has(span.id);
      rows.push({ span, depth, children: below.length, open });
      if (open) push(below, depth + 1);
    }
    return rows;
  }
}

/** Who belongs to whom; those that belong to each other in a circle begin somewhere. */
function grow(spans) {
  const children = new Map();
  const roots = [];
  for (const span of spans.values()) {
    if (span.parent === undefined || span.parent === span.id || !spans.has(span.parent)) {
      roots.push(span);
    } else if (children.has(span.parent)) children.get(span.parent).push(span);
    else children.set(span.parent, [span]);
  }
  for (const below of children.values()) below.sort(byStart);
  const seen = new Set();
  for (const root of roots) reach(root, children, seen);
  if (seen.size < spans.size) {
    for (const span of spans.values()) {
      if (seen.has(span.id)) continue;
      const siblings = children.get(span.parent);
      siblings.splice(siblings.indexOf(span), 1);
      roots.push(span);
      reach(span, children, seen);
    }
  }
  roots.sort((a, b) => byStart(b, a));
  return { roots, children };
}

function reach(root, children, seen) {
  const left = [root];
  while (left.length > 0) {
    const span = left.pop();
    seen.add(span.id);
    for (const child of children.get(span.id) ?? []) if (!seen.has(child.id)) left.push(child);
  }
}

function byStart(a, b) {
  return a.start - b.start || (a.id < b.id ? -1 : 1);
}

/** The ids of what lies in a time, and of all that these belong to. */
function within(spans, roots, children, from, to, now) {
  const shown = new Set();
  const above = new Map();
  for (const below of children.values()) {
    for (const child of below) above.set(child.id, child.parent);
  }
  for (const span of spans.values()) {
    if (span.start > to || Math.max(span.start, span.end ?? now) < from) continue;
    for (let id = span.id; id !== undefined && !shown.has(id); id = above.get(id)) shown.add(id);
  }
  return shown;
}
