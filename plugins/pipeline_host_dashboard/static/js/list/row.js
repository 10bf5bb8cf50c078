/** A process as a row of the list. */

import { h, replace, setProp, text, visible } from "../dom.js";
import { count, elapsed, fullTime, time } from "../format.js";
import { icon } from "../icons.js";
import { workspaceLabel } from "../workspaces.js";
import { STATUSES, TERMINAL } from "./filters.js";

const SHOWN = 240;

export const LABELS = {
  queued: "Queued",
  running: "Running",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** The element of one row, kept up to date. */
export class RowView {
  #row = {};
  #workspace;
  #depth;
  #tools;
  #parts;

  /**
   * @param {object} tools `href(id)`, `workspace(id)`, `onToggle(id)`, `onCancel(id)`
   */
  constructor(tools) {
    this.#tools = tools;
    const parts = {
      toggle: h(
        "button",
        {
          type: "button",
          class: "row-toggle",
          hidden: true,
          "aria-expanded": "false",
          on: { click: () => tools.onToggle(this.id) },
        },
        icon("chevron"),
      ),
      status: h("span", { class: "status row-status" }),
      preview: h("span", { class: "row-preview" }),
      word: h("span", { class: "visually-hidden" }),
      note: h("span", { class: "row-note", hidden: true }),
      parts: h("span", { class: "row-parts" }),
      type: h("span", { class: "row-type" }),
      workspace: h("span", { class: "row-workspace" }),
      started: h("time", { class: "row-started" }),
      duration: h("span", { class: "row-duration" }),
      cancel: h(
        "button",
        {
          type: "button",
          class: "icon-button row-cancel",
          hidden: true,
          on: { click: () => tools.onCancel(this.id) },
        },
        icon("stop"),
      ),
    };
    parts.link = h("a", { class: "row-link" }, parts.preview, parts.word);
    parts.main = h(
      "div",
      { class: "row-main" },
      parts.toggle,
      parts.status,
      h("div", { class: "row-text" }, parts.link, parts.note),
      parts.parts,
      parts.workspace,
      parts.type,
      parts.started,
      parts.duration,
      h("span", { class: "row-actions" }, parts.cancel),
    );
    this.element = h("li", { class: "row" }, parts.main);
    this.link = parts.link;
    this.#parts = parts;
  }

  get id() {
    return this.#row.id;
  }

  /**
   * Shows the row; only what has changed is touched.
   *
   * @param {{row: object, depth: number, expandable: boolean, expanded: boolean}} item
   * @param {{position: number, count: number}} place the row's number in its list, and how many
   *   there are, -1 where that isn't known
   */
  update({ row, depth, expandable, expanded }, { position, count: size }) {
    setProp(this.element, "aria-posinset", position);
    setProp(this.element, "aria-setsize", size);
    if (depth !== this.#depth) this.#showDepth(depth);
    this.#showToggle(row, expandable, expanded);
    this.#showWorkspace(row);
    const before = this.#row;
    this.#row = row;
    this.tick();
    if (row === before) return;
    const { link, preview, type, started, cancel } = this.#parts;
    if (row.id !== before.id) {
      this.element.dataset.id = row.id;
      setProp(link, "href", this.#tools.href(row.id));
    }
    if (row.promptPreview !== before.promptPreview) {
      replace(preview, text(shortened(row.promptPreview) || row.id));
      setProp(link, "title", row.promptPreview.length > 90 ? visible(row.promptPreview) : null);
    }
    if (row.status !== before.status) this.#showStatus(row);
    if (row.type !== before.type) replace(type, text(row.type));
    if (row.startTime !== before.startTime) {
      started.textContent = time(row.startTime);
      setProp(started, "datetime", row.startTime);
      setProp(started, "title", fullTime(row.startTime));
    }
    this.#showNote(row, before);
    if (row.children !== before.children) this.#showParts(row.children);
    cancel.hidden = TERMINAL.has(row.status);
  }

  /** Shows how long it takes by now. */
  tick() {
    const { duration } = this.#parts;
    const shown =
      this.#row.status === "queued" ? `waits ${elapsed(this.#row)}` : elapsed(this.#row);
    if (duration.textContent !== shown) duration.textContent = shown;
  }

  #showDepth(depth) {
    this.#depth = depth;
    this.element.style.setProperty("--depth", depth);
    this.element.classList.toggle("is-part", depth > 0);
  }

  #showStatus({ status }) {
    const { status: place, word, cancel } = this.#parts;
    this.element.dataset.status = status;
    replace(place, icon(status));
    setProp(place, "title", LABELS[status]);
    word.textContent = ` (${LABELS[status].toLowerCase()})`;
    const name = shortened(this.#row.promptPreview).slice(0, 60) || this.#row.id;
    setProp(cancel, "aria-label", `Cancel ${visible(name)}`);
    setProp(cancel, "title", "Cancel (c)");
  }

  #showNote(row, before) {
    if (row.error === before.error && row.exitCode === before.exitCode) return;
    const { note } = this.#parts;
    const exit = row.exitCode ? `exit code ${row.exitCode}` : "";
    const words = shortened(row.error) || exit;
    replace(note, words && text(words));
    note.hidden = !words;
  }

  #showWorkspace(row) {
    const known = row.workspaceId ? this.#tools.workspace(row) : null;
    if (known?.name === this.#workspace?.name && known?.color === this.#workspace?.color) return;
    this.#workspace = known;
    replace(this.#parts.workspace, known && workspaceLabel(known));
  }

  #showParts(children) {
    const { parts } = this.#parts;
    replace(parts);
    if (!children) return;
    const total = STATUSES.reduce((sum, status) => sum + children[status], 0);
    const ended = children.completed + children.failed + children.cancelled;
    const words = STATUSES.filter((status) => children[status])
      .map((status) => `${children[status]} ${status}`)
      .join(", ");
    const bar = ["completed", "failed", "cancelled", "running", "queued"].map(
      (status) =>
        children[status] > 0 &&
        h("span", { dataset: { status }, style: { "flex-grow": children[status] } }),
    );
    replace(
      parts,
      h("span", { class: "parts-bar", "aria-hidden": "true", title: words }, bar),
      h("span", { class: "parts-count", "aria-hidden": "true" }, `${count(ended)}/${count(total)}`),
      h("span", { class: "visually-hidden" }, `, ${total} parts: ${words}`),
    );
  }

  #showToggle(row, expandable, expanded) {
    const { toggle } = this.#parts;
    toggle.hidden = !expandable;
    if (!expandable) return;
    setProp(toggle, "aria-expanded", String(expanded));
    const name = shortened(row.promptPreview).slice(0, 60) || row.id;
    setProp(toggle, "aria-label", `Parts of ${visible(name)}`);
  }
}

function shortened(words) {
  const line = String(words ?? "")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}
