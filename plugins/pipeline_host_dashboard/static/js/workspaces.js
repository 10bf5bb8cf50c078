/** The workspaces there are: their names, colours and how many processes each has. */

import { h, text } from "./dom.js";
import { Owed } from "./owed.js";

const HUES = [211, 265, 160, 28, 330, 190, 88, 0, 45, 300];

/** Known to all views; read anew when it is out of date. */
export class Workspaces {
  #api;
  #byId = new Map();
  #listeners = new Set();
  #reading;

  constructor(api, live) {
    this.#api = api;
    this.#reading = new Owed(live, (signal) => this.#read(signal));
    live.on("change", (message) => this.#hear(message));
    live.on("resync", () => this.refresh());
  }

  /** All of them, those with the most processes first: `{id, name, color, count}`. */
  get all() {
    return [...this.#byId.values()].sort(
      (a, b) => b.count - a.count || a.name.localeCompare(b.name),
    );
  }

  /** One of them; for an unknown id one with the id as its name. */
  get(id) {
    return this.#byId.get(id) ?? { id, name: id, color: colorOf(id), count: 0 };
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads them; says nothing where that fails, as the page says so already. */
  refresh() {
    return this.#reading.now();
  }

  async #read(signal) {
    const [registered, stats] = await Promise.all([
      this.#api.workspaces({ signal }),
      this.#api.stats({ signal }),
    ]);
    signal.throwIfAborted();
    const found = new Map(
      registered.map((one) => [one.id, { ...one, color: safeColor(one), count: 0 }]),
    );
    for (const { workspaceId, name, count } of stats.byWorkspace) {
      const known = found.get(workspaceId);
      found.set(workspaceId, {
        id: workspaceId,
        name: known?.name || name || workspaceId,
        color: known?.color ?? colorOf(workspaceId),
        count,
      });
    }
    this.#byId = found;
    for (const listener of this.#listeners) listener();
  }

  #hear({ type, process }) {
    const isNews =
      type === "workspace-registered" ||
      type !== "process-updated" ||
      !this.#byId.has(process?.workspaceId);
    if (!isNews || (type === "process-updated" && !process?.workspaceId)) return;
    this.#reading.soon();
  }
}

/** A workspace as its colour and its name. */
export function workspaceLabel({ name, color }) {
  return h(
    "span",
    { class: "workspace" },
    colorDot(color),
    h("span", { class: "workspace-name" }, text(name)),
  );
}

/** A dot of a workspace's colour. */
export function colorDot(color) {
  return h("span", { class: "dot", "aria-hidden": "true", style: { "--dot": color } });
}

function safeColor({ id, color }) {
  return color && CSS.supports("color", color) && !/[;(]\s*url|var\(/i.test(color)
    ? color
    : colorOf(id);
}

/** A colour for a workspace that has none: always the same one. */
function colorOf(id) {
  let sum = 0;
  for (const character of String(id)) sum = (sum * 31 + character.codePointAt(0)) >>> 0;
  return `hsl(${HUES[sum % HUES.length]} 60% 50%)`;
}
