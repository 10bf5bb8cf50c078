/** One status's rows, under a heading that folds them. */

import { h, replace, setProp } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { LABELS } from "./row.js";

/** A group's element: its heading, its rows, and the end that asks for more when it comes near. */
export class GroupView {
  /**
   * @param {string} status
   * @param {object} tools `onMore(status)`, `onFold(status, folded)`, `onClear(status)`
   */
  constructor(status, { folded, onMore, onFold, onClear }) {
    const id = `group-${status}`;
    this.status = status;
    this.number = h("span", { class: "group-count" });
    this.fold = h("button", {
      type: "button",
      class: "group-fold",
      "aria-expanded": String(!folded),
      "aria-controls": `${id}-rows`,
      on: { click: () => this.setFolded(!this.rows.hidden) || onFold(status, this.rows.hidden) },
    }, icon("chevron"), h("span", { class: "status" }, icon(status), LABELS[status]), this.number);
    this.clear = h("button", {
      type: "button",
      class: "button small quiet group-clear",
      hidden: true,
      on: { click: () => onClear(status) },
    }, icon("trash"), `Clear ${status}`);
    this.rows = h("ul", { class: "group-rows", id: `${id}-rows`, role: "list", "aria-label": `${LABELS[status]} processes`, hidden: folded });
    this.end = h("div", { class: "group-end", hidden: true }, "Loading more…");
    this.element = h("section", { class: "group", dataset: { status }, hidden: true },
      h("div", { class: "group-head" }, h("h2", { id }, this.fold), this.clear), this.rows, this.end);
    this.observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && onMore(status),
      { rootMargin: "800px" },
    );
  }

  setFolded(folded) {
    this.rows.hidden = folded;
    setProp(this.fold, "aria-expanded", String(!folded));
    this.watch();
  }

  /** @param {{total: number, more: boolean, clearable: boolean}} state */
  update({ total, more, clearable }) {
    replace(this.number, count(total));
    this.element.hidden = total === 0 && this.rows.childElementCount === 0 && !more;
    this.clear.hidden = !clearable || total === 0;
    this.more = more;
    this.watch();
  }

  /** Looks anew whether the end is near: an observer tells only of what changes. */
  watch() {
    this.end.hidden = !this.more || this.rows.hidden;
    this.observer.unobserve(this.end);
    if (!this.end.hidden) this.observer.observe(this.end);
  }

  close() {
    this.observer.disconnect();
  }
}
