/** One status's rows, under a heading that folds them. */

import { h, replace, setProp } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { LABELS } from "./row.js";
import { windowOf } from "./window.js";

const AROUND = 12;
const NEAR = 800;

/**
 * A group's element. Of its rows only those near what is seen are in the page: each row is as high
 * as any other, and the list as high as all of them.
 */
export class GroupView {
  #items = [];
  #views = new Map();
  #tools;

  /**
   * @param {string} status
   * @param {object} tools `makeRow()`, `onMore(status)`, `onMoreParts(id)`, `onFold(status, folded)`,
   *   `onClear(status)`
   */
  constructor(status, { folded, ...tools }) {
    const id = `group-${status}`;
    this.status = status;
    this.#tools = tools;
    this.more = false;
    this.seen = 0;
    this.number = h("span", { class: "group-count" });
    this.fold = h(
      "button",
      {
        type: "button",
        class: "group-fold",
        "aria-expanded": String(!folded),
        "aria-controls": `${id}-rows`,
        on: { click: () => this.#setFolded(!this.folded) },
      },
      icon("chevron"),
      h("span", { class: "status" }, icon(status), LABELS[status]),
      this.number,
    );
    this.clear = h(
      "button",
      {
        type: "button",
        class: "button small quiet group-clear",
        hidden: true,
        on: { click: () => tools.onClear(status) },
      },
      icon("trash"),
      `Clear ${status}`,
    );
    this.rows = h("ul", {
      class: "group-rows",
      id: `${id}-rows`,
      role: "list",
      "aria-label": `${LABELS[status]} processes`,
      hidden: folded,
    });
    this.end = h("div", { class: "group-end", hidden: true }, "Loading more…");
    this.element = h(
      "section",
      { class: "group", dataset: { status }, hidden: true, "aria-labelledby": id },
      h("div", { class: "group-head" }, h("h2", { id }, this.fold), this.clear),
      this.rows,
      this.end,
    );
  }

  get folded() {
    return this.rows.hidden;
  }

  /** The items that can be moved to: none while it is folded. */
  get items() {
    return this.folded ? [] : this.#items;
  }

  /** The views of the rows that are in the page, by their ids. */
  get views() {
    return this.#views;
  }

  /**
   * @param {Array<{row: object, depth: number, expandable: boolean, expanded: boolean,
   *   partsOf?: string}>} items `partsOf` is set at the last row under one of which more are to be read
   * @param {{total: number, more: boolean, clearable: boolean}} state
   */
  update(items, { total, more, clearable }) {
    this.#items = items;
    this.more = more;
    replace(this.number, count(total));
    this.element.hidden = total === 0 && items.length === 0 && !more;
    this.clear.hidden = !clearable || total === 0;
    this.end.hidden = !more || this.folded;
  }

  /** How far below the top of the window a row is, in pixels. */
  offsetOf(index, height) {
    return this.rows.getBoundingClientRect().top + index * height;
  }

  /** Makes the list as high as all its rows. */
  reserve(height) {
    this.rows.style.height = `${this.#items.length * height}px`;
  }

  /**
   * Puts the rows near what is seen into the page, and asks for more at the end.
   *
   * @param {{top: number, height: number, seen: number}} place where the list begins, how high a
   *   row and how high the window is, in pixels
   */
  render({ top, height, seen }) {
    const isSeen = !this.element.hidden && !this.folded;
    const size = isSeen ? this.#items.length : 0;
    const { first, last } = windowOf({ top, count: size, height, seen, around: AROUND });
    this.seen = last;
    this.rows.style.paddingTop = `${first * height}px`;
    const shown = this.#items.slice(first, last);
    const kept = new Set(shown.map(({ row }) => row.id));
    for (const [id, view] of this.#views) {
      if (kept.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
    let next = this.rows.firstElementChild;
    shown.forEach((item, n) => {
      const view = this.#view(item.row.id);
      view.update(item, { position: first + n + 1, count: this.more ? -1 : this.#items.length });
      if (view.element === next) next = next.nextElementSibling;
      else this.rows.insertBefore(view.element, next);
    });
    for (const { partsOf } of shown) if (partsOf !== undefined) this.#tools.onMoreParts(partsOf);
    if (isSeen && this.more && top + this.#items.length * height < seen + NEAR)
      this.#tools.onMore(this.status);
  }

  #view(id) {
    let view = this.#views.get(id);
    if (!view) {
      view = this.#tools.makeRow();
      this.#views.set(id, view);
    }
    return view;
  }

  #setFolded(folded) {
    this.rows.hidden = folded;
    this.end.hidden = !this.more || folded;
    setProp(this.fold, "aria-expanded", String(!folded));
    this.#tools.onFold(this.status, folded);
  }
}
