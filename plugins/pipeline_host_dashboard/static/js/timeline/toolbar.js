/** What stands above the timeline: which processes, how much time, chart or table. */

import { h, setProp } from "../dom.js";
import { icon } from "../icons.js";
import { workspacePicker } from "../workspace-picker.js";

/** How much time can be shown, in milliseconds; none is everything. */
export const RANGES = {
  "15m": 900_000,
  "1h": 3_600_000,
  "6h": 21_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
  all: null,
};

const NAMES = {
  "15m": "15 minutes", "1h": "Hour", "6h": "6 hours", "24h": "Day", "7d": "Week", all: "Everything",
};

export class Toolbar {
  element;
  #picker;
  #ranges;
  #table;
  #zoom;
  #back;
  #note = h("p", { class: "tl-note hint" });

  /**
   * @param {import("../workspaces.js").Workspaces} workspaces
   * @param {object} actions
   * @param {(id: string) => void} actions.workspace
   * @param {(name: string) => void} actions.range
   * @param {() => void} actions.table
   * @param {(factor: number) => void} actions.zoomBy
   * @param {() => void} actions.back
   */
  constructor(workspaces, actions) {
    this.#picker = workspacePicker(workspaces, actions.workspace);
    this.#ranges = h("select", { class: "field", "aria-label": "Time", on: { change: () => actions.range(this.#ranges.value) } },
      Object.entries(NAMES).map(([value, name]) => h("option", { value }, name)));
    this.#back = iconButton("fit", "Back to the whole time (0)", actions.back);
    this.#zoom = h("div", { class: "tl-zoom", role: "group", "aria-label": "Zoom" },
      iconButton("minus", "Zoom out (-)", () => actions.zoomBy(1.5)),
      iconButton("plus", "Zoom in (+)", () => actions.zoomBy(1 / 1.5)), this.#back);
    this.#table = h("button", { type: "button", class: "button", "aria-pressed": "false", on: { click: actions.table } }, icon("list"), "Table");
    this.element = h("header", { class: "tl-toolbar" },
      h("h1", null, "Timeline"), this.#picker.element, this.#ranges, this.#zoom, this.#table, this.#note, legend());
  }

  unmount() {
    this.#picker.close();
  }

  show({ workspace, range, table, moved }) {
    this.#picker.set(workspace ?? "");
    this.#ranges.value = range;
    this.#zoom.hidden = table;
    this.#back.disabled = !moved;
    setProp(this.#table, "aria-pressed", String(table));
  }

  note(words) {
    this.#note.textContent = words;
  }
}

function iconButton(name, label, click) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, on: { click } }, icon(name));
}

function legend() {
  const key = (status, words) => h("li", { dataset: { status } }, h("span", { class: "tl-swatch" }), words);
  return h("ul", { class: "tl-legend", "aria-label": "Legend" },
    h("li", { dataset: { status: "queued" } }, h("span", { class: "tl-swatch waited" }), "waited"),
    key("running", "runs"), key("completed", "completed"), key("failed", "failed"), key("cancelled", "cancelled"));
}
