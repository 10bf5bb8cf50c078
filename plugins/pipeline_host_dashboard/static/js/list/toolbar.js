/** What narrows the list: workspace, text, statuses, type. */

import { h, replace, setProp, visible } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { workspacePicker } from "../workspace-picker.js";
import { STATUSES } from "./filters.js";
import { LABELS } from "./row.js";

const QUIET_MS = 250;
const MARGIN = 16;
const TYPES = [
  "clarification",
  "discovery",
  "code-review",
  "code-review-group",
  "pipeline-execution",
  "pipeline-item",
];

/**
 * @param {import("./filters.js").Filters} filters what is narrowed at first
 * @param {import("../workspaces.js").Workspaces} workspaces
 * @param {(filters: object) => void} onChange with what is narrowed from now on
 */
export function toolbar(filters, workspaces, onChange) {
  let current = filters;
  let timer = null;
  const change = (part) => {
    current = { ...current, ...part };
    show();
    onChange(current);
  };

  const search = h("input", {
    type: "search",
    class: "field search-field",
    placeholder: "Search ids and prompts",
    "aria-label": "Search in ids and prompts",
    "aria-keyshortcuts": "/",
    autocomplete: "off",
    spellcheck: "false",
    value: filters.q,
    on: {
      input: () => {
        clearTimeout(timer);
        timer = setTimeout(() => change({ q: search.value }), QUIET_MS);
      },
      keydown: (event) => {
        if (event.key === "Enter") {
          clearTimeout(timer);
          change({ q: search.value });
        } else if (event.key === "Escape") {
          if (search.value) {
            search.value = "";
            clearTimeout(timer);
            change({ q: "" });
          } else search.blur();
        } else return;
        event.preventDefault();
      },
    },
  });
  const chips = new Map(
    STATUSES.map((status) => [
      status,
      chip(status, () => {
        const chosen = new Set(current.statuses);
        if (!chosen.delete(status)) chosen.add(status);
        change({ statuses: STATUSES.filter((one) => chosen.has(one)) });
      }),
    ]),
  );
  const type = h("select", {
    class: "field",
    "aria-label": "Type",
    on: { change: () => change({ type: type.value }) },
  });
  const picker = workspacePicker(workspaces, (workspace) => change({ workspace }));
  const strip = h(
    "div",
    { class: "chips", role: "group", "aria-label": "Status" },
    [...chips.values()].map((one) => one.element),
  );
  const element = h(
    "div",
    { class: "toolbar", role: "search", "aria-label": "Narrow the list" },
    h("div", { class: "search" }, icon("search"), search, h("kbd", { "aria-hidden": "true" }, "/")),
    picker.element,
    type,
    strip,
  );

  function show() {
    picker.set(current.workspace);
    for (const [status, one] of chips)
      setProp(one.element, "aria-pressed", String(current.statuses.includes(status)));
    if (search.value !== current.q && document.activeElement !== search) search.value = current.q;
    showTypes();
    const pressed = chips.get(current.statuses[0])?.element;
    if (pressed) strip.scrollLeft = pressed.offsetLeft - strip.offsetLeft - MARGIN;
  }

  let seen = new Set(TYPES);
  function showTypes() {
    const names = [...new Set([...seen, ...(current.type ? [current.type] : [])])];
    if (type.childElementCount !== names.length + 1) {
      replace(
        type,
        h("option", { value: "" }, "All types"),
        names.map((name) => h("option", { value: name }, visible(name).slice(0, 40))),
      );
    }
    type.value = current.type;
  }

  show();
  return {
    element,
    focusSearch() {
      search.focus();
      search.select();
    },
    /** Shows the first chosen status, where they don't all fit; once this is in the page. */
    reveal: show,
    /** Shows other filters than those that were chosen here. */
    set(next) {
      clearTimeout(timer);
      current = next;
      search.value = next.q;
      show();
    },
    setCounts(counts) {
      for (const [status, one] of chips)
        one.number.textContent = counts ? count(counts[status]) : "";
    },
    /** Offers types that processes have. */
    addTypes(types) {
      const before = seen.size;
      for (const name of types) if (seen.size < 60) seen.add(name);
      if (seen.size !== before) showTypes();
    },
    close() {
      clearTimeout(timer);
      picker.close();
    },
  };
}

function chip(status, toggle) {
  const number = h("span", { class: "chip-count" });
  const element = h(
    "button",
    {
      type: "button",
      class: "chip",
      "aria-pressed": "false",
      dataset: { status },
      on: { click: toggle },
    },
    h("span", { class: "status" }, icon(status)),
    h("span", null, LABELS[status]),
    number,
  );
  return { element, number };
}
