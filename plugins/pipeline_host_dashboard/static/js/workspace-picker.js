/** A button that opens the list of workspaces to choose one of, or all. */

import { h, replace, setProp, visible } from "./dom.js";
import { count } from "./format.js";
import { icon } from "./icons.js";
import { colorDot, workspaceLabel } from "./workspaces.js";

let pickers = 0;

/**
 * @param {import("./workspaces.js").Workspaces} workspaces
 * @param {(id: string) => void} onPick the chosen one's id, or "" for all
 * @returns {{element: HTMLElement, set: (id: string) => void, close: () => void}}
 */
export function workspacePicker(workspaces, onPick) {
  const id = `workspaces-${(pickers += 1)}`;
  let chosen = "";
  let active = 0;
  let options = [];
  let lines = new Map();
  const button = h("button", {
    type: "button",
    class: "button picker-button",
    "aria-haspopup": "listbox",
    "aria-expanded": "false",
    "aria-controls": id,
    on: { click: () => (list.hidden ? open() : close()), keydown: onButtonKey },
  });
  const list = h("ul", {
    id,
    class: "picker-list",
    role: "listbox",
    tabindex: "-1",
    "aria-label": "Workspace",
    hidden: true,
    on: { keydown: onKey, focusout: onFocusOut },
  });
  const element = h("div", { class: "picker" }, button, list);

  function showButton() {
    const label = chosen
      ? workspaceLabel(workspaces.get(chosen))
      : h("span", { class: "workspace-name" }, "All workspaces");
    replace(button, h("span", { class: "visually-hidden" }, "Workspace: "), label, icon("down"));
  }

  /** What stays as it was keeps its element, as a click on it may be half done. */
  function showOptions(wanted) {
    const all = workspaces.all;
    const total = all.reduce((sum, one) => sum + one.count, 0);
    const known =
      all.some((one) => one.id === chosen) || !chosen ? all : [workspaces.get(chosen), ...all];
    options = [{ id: "", name: "All workspaces", count: total }, ...known];
    lines = new Map(options.map((option) => [keyOf(option), lineOf(option)]));
    [...lines.values()].forEach((line, index) => {
      setProp(line.element, "id", `${id}-${index}`);
      setProp(line.element, "aria-selected", String(options[index].id === chosen));
      const number = count(options[index].count);
      if (line.number.textContent !== number) line.number.textContent = number;
      const there = list.children[index];
      if (there !== line.element) list.insertBefore(line.element, there ?? null);
    });
    while (list.children.length > lines.size) list.lastElementChild.remove();
    mark(indexOf(wanted));
  }

  function indexOf(optionId) {
    return options.findIndex((option) => option.id === optionId);
  }

  function lineOf(option) {
    const known = lines.get(keyOf(option));
    if (known) return known;
    const number = h("span", { class: "picker-count" });
    const element = h(
      "li",
      {
        role: "option",
        class: "picker-option",
        on: {
          click: () => pick(indexOf(option.id)),
          pointermove: () => activate(indexOf(option.id)),
        },
      },
      option.id
        ? workspaceLabel(option)
        : h("span", { class: "workspace" }, colorDot("transparent"), "All workspaces"),
      number,
    );
    return { element, number };
  }

  function activate(index) {
    mark(index);
    list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  function mark(index) {
    active = Math.min(Math.max(index, 0), options.length - 1);
    [...list.children].forEach((child, n) => child.classList.toggle("active", n === active));
    setProp(list, "aria-activedescendant", `${id}-${active}`);
  }

  function open() {
    list.hidden = false;
    setProp(button, "aria-expanded", "true");
    showOptions(chosen);
    activate(active);
    list.focus();
  }

  function close({ refocus = true } = {}) {
    if (list.hidden) return;
    list.hidden = true;
    setProp(button, "aria-expanded", "false");
    if (refocus) button.focus();
  }

  function pick(index) {
    const next = options[index].id;
    close();
    if (next === chosen) return;
    chosen = next;
    showButton();
    onPick(chosen);
  }

  function onButtonKey(event) {
    if (event.key !== "ArrowDown" || !list.hidden) return;
    event.preventDefault();
    open();
  }

  function onKey(event) {
    const moves = { ArrowDown: active + 1, ArrowUp: active - 1, Home: 0, End: options.length - 1 };
    if (event.key in moves) activate(moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") pick(active);
    else if (event.key === "Escape") close();
    else if (event.key.length === 1) typeAhead(event.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function typeAhead(key) {
    for (let step = 1; step <= options.length; step += 1) {
      const index = (active + step) % options.length;
      if (visible(options[index].name).toLowerCase().startsWith(key.toLowerCase())) {
        activate(index);
        return;
      }
    }
  }

  function onFocusOut(event) {
    if (!element.contains(event.relatedTarget)) close({ refocus: false });
  }

  const off = workspaces.onChange(() => {
    showButton();
    if (list.hidden) return;
    const before = active;
    showOptions(options[active].id);
    if (active !== before) activate(active);
  });
  showButton();
  return {
    element,
    set(next) {
      chosen = next;
      showButton();
    },
    close: off,
  };
}

/** What is to be seen of an option, apart from its number. */
function keyOf({ id, name, color }) {
  return JSON.stringify([id, name, color]);
}
