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

  function showOptions() {
    const all = workspaces.all;
    const total = all.reduce((sum, one) => sum + one.count, 0);
    const known =
      all.some((one) => one.id === chosen) || !chosen ? all : [workspaces.get(chosen), ...all];
    options = [{ id: "", name: "All workspaces", count: total }, ...known];
    replace(
      list,
      options.map((option, index) =>
        h(
          "li",
          {
            id: `${id}-${index}`,
            role: "option",
            class: "picker-option",
            "aria-selected": String(option.id === chosen),
            on: { click: () => pick(index), pointermove: () => activate(index) },
          },
          option.id
            ? workspaceLabel(option)
            : h("span", { class: "workspace" }, colorDot("transparent"), "All workspaces"),
          h("span", { class: "picker-count" }, count(option.count)),
        ),
      ),
    );
    activate(
      Math.max(
        0,
        options.findIndex((option) => option.id === chosen),
      ),
    );
  }

  function activate(index) {
    active = Math.min(Math.max(index, 0), options.length - 1);
    [...list.children].forEach((child, n) => child.classList.toggle("active", n === active));
    setProp(list, "aria-activedescendant", `${id}-${active}`);
    list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  function open() {
    list.hidden = false;
    setProp(button, "aria-expanded", "true");
    showOptions();
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
    if (!list.hidden) showOptions();
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
