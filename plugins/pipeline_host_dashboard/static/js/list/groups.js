/** All groups, with the rows that are seen, and moving between rows. */

import { h } from "../dom.js";
import { STATUSES, TERMINAL } from "./filters.js";
import { GroupView } from "./group.js";

const FOLDED = "pipeline-host.folded";
const DEEPEST = 8;
/** What the bar at the top and a group's heading cover, and some air, in pixels. */
const COVERED = 100;
const AIR = 24;
const FALLBACKS = 20;

export class Groups {
  /** The id of the row that had the focus last. */
  current = null;

  #feed;
  #groups;
  #probe;
  #folded = readFolded();
  #frame = null;
  #next = 0;
  #offs = [];

  /**
   * @param {() => import("./feed.js").Feed} feed
   * @param {object} tools `makeRow()`, `onMore(status)`, `onMoreParts(id)`, `onClear(status)`,
   *   `onDrawn()`
   */
  constructor(feed, tools) {
    this.#feed = feed;
    this.tools = tools;
    this.#groups = STATUSES.map(
      (status) =>
        new GroupView(status, {
          folded: this.#folded.has(status),
          makeRow: tools.makeRow,
          onMore: tools.onMore,
          onMoreParts: tools.onMoreParts,
          onClear: tools.onClear,
          onFold: (which, folded) => this.#fold(which, folded),
        }),
    );
    this.#probe = h("div", { class: "row-height", "aria-hidden": "true" });
    this.element = h(
      "div",
      { class: "groups" },
      this.#probe,
      this.#groups.map(({ element }) => element),
    );
    this.element.addEventListener("focusin", ({ target }) => {
      this.current = target.closest(".row")?.dataset.id ?? this.current;
    });
    const onScroll = () => this.#render();
    addEventListener("scroll", onScroll, { passive: true });
    addEventListener("resize", onScroll);
    this.#offs.push(
      () => removeEventListener("scroll", onScroll),
      () => removeEventListener("resize", onScroll),
    );
  }

  close() {
    for (const off of this.#offs) off();
    cancelAnimationFrame(this.#frame);
  }

  /** Shows everything anew soon; seldom enough that a flood of news stays smooth. */
  draw() {
    if (this.#frame !== null) return;
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = null;
      if (now < this.#next) {
        this.draw();
        return;
      }
      const begin = performance.now();
      this.#show();
      this.#next = now + 3 * (performance.now() - begin);
    });
  }

  /** How many rows of each group there are down to the last one that is in the page. */
  get seen() {
    return Object.fromEntries(this.#groups.map(({ status, seen }) => [status, seen]));
  }

  /** The view of the row that has the focus. */
  focused() {
    return this.view(document.activeElement?.closest?.(".row")?.dataset.id);
  }

  /** The view of a row, where it is in the page. */
  view(id) {
    for (const { views } of this.#groups) if (views.has(id)) return views.get(id);
    return undefined;
  }

  /** Moves the focus by so many rows, from the row that had it last. */
  move(step) {
    const places = this.#groups.flatMap((group) =>
      group.items.map(({ row }, index) => ({ group, index, id: row.id })),
    );
    if (places.length === 0) return;
    const now = places.findIndex(({ id }) => id === this.current);
    const next = now < 0 ? (step > 0 ? 0 : places.length - 1) : now + step;
    this.#focus(places[Math.min(Math.max(next, 0), places.length - 1)]);
  }

  /** Shows the clock on rows that go on. */
  tick() {
    for (const { views } of this.#groups) for (const view of views.values()) view.tick();
  }

  #focus({ group, index, id }) {
    const height = this.#height();
    const top = group.offsetOf(index, height);
    if (top < COVERED) scrollBy({ top: top - COVERED, behavior: "instant" });
    else if (top + height > innerHeight - AIR)
      scrollBy({ top: top + height - innerHeight + AIR, behavior: "instant" });
    this.#render();
    this.view(id)?.link.focus({ preventScroll: true });
  }

  #show() {
    const { model, counts, statuses, filters } = this.#feed();
    if (counts === null) return;
    const height = this.#height();
    const anchor = this.#anchor(height);
    const rows = model.groups(statuses);
    const clearable = !filters.type && !filters.q.trim();
    for (const group of this.#groups) {
      const { status } = group;
      const isShown = statuses.includes(status);
      const top = rows.get(status) ?? [];
      group.update(this.#items(top), {
        total: isShown ? Math.max(counts[status], top.length) : 0,
        more: isShown && !model.pager(status).done,
        clearable: clearable && TERMINAL.has(status),
      });
    }
    for (const group of this.#groups) group.reserve(height);
    if (anchor) this.#hold(anchor, height);
    this.#render(height);
    this.tools.onDrawn();
  }

  /** The row at the top of what is seen, and those after it in case that it goes. */
  #anchor(height) {
    if (scrollY < 1) return null;
    for (const group of this.#groups) {
      const index = Math.ceil((COVERED - group.offsetOf(0, height)) / height);
      if (index < 0 || index >= group.items.length) continue;
      const ids = group.items.slice(index, index + FALLBACKS).map(({ row }) => row.id);
      return { group, ids, y: group.offsetOf(index, height) };
    }
    return null;
  }

  /** Scrolls so that what is seen stays where it was, whatever came or went above it. */
  #hold({ group, ids, y }, height) {
    const { items } = group;
    const n = ids.findIndex((id) => items.some(({ row }) => row.id === id));
    if (n < 0) return;
    const index = items.findIndex(({ row }) => row.id === ids[n]);
    const moved = group.offsetOf(index, height) - (y + n * height);
    if (Math.abs(moved) >= 1) scrollBy({ top: moved, behavior: "instant" });
  }

  #items(rows, depth = 0, into = []) {
    const feed = this.#feed();
    for (const row of rows) {
      const expandable = feed.isExpandable(row);
      const expanded = expandable && feed.expanded.has(row.id);
      into.push({ row, depth, expandable, expanded });
      if (!expanded || depth >= DEEPEST) continue;
      this.#items(feed.model.children(row.id), depth + 1, into);
      // Whoever sees the last one that was read wants the next ones.
      if (!feed.model.parts(row.id).done) into.at(-1).partsOf = row.id;
    }
    return into;
  }

  #render(height = this.#height()) {
    const focused = document.activeElement?.closest?.(".row")?.dataset.id;
    const tops = this.#groups.map((group) => group.offsetOf(0, height));
    this.#groups.forEach((group, n) => group.render({ top: tops[n], height, seen: innerHeight }));
    // An element that is moved or made anew loses the focus; the row has it still.
    if (focused !== undefined && document.activeElement === document.body) {
      this.view(focused)?.link.focus({ preventScroll: true });
    }
  }

  #height() {
    return this.#probe.getBoundingClientRect().height || 44;
  }

  #fold(status, folded) {
    if (folded) this.#folded.add(status);
    else this.#folded.delete(status);
    writeFolded(this.#folded);
    this.#render();
  }
}

function readFolded() {
  try {
    return new Set(JSON.parse(localStorage.getItem(FOLDED) ?? "[]"));
  } catch {
    return new Set();
  }
}

function writeFolded(folded) {
  try {
    localStorage.setItem(FOLDED, JSON.stringify([...folded]));
  } catch {
    // Storage can be forbidden.
  }
}
