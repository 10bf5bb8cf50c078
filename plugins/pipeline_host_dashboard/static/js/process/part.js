/** Parts of the page that are built anew only when what they show has changed. */

import { copy } from "../clipboard.js";
import { h, replace, visible } from "../dom.js";

/**
 * @param {object} options
 * @param {string} [options.tag]
 * @param {string} [options.class]
 * @param {(process: object, removed: boolean) => any} options.pick what it shows: any JSON value
 * @param {(picked: any, process: object) => any} options.build its children; none hide it
 * @returns {{element: HTMLElement, update: (process: object, removed?: boolean) => void}}
 */
export function part({ tag = "section", class: name, pick, build, ...attributes }) {
  const element = h(tag, { class: name, hidden: true, ...attributes });
  let shown;
  return {
    element,
    update(process, removed = false) {
      const picked = pick(process, removed);
      const key = JSON.stringify(picked);
      if (key === shown) return;
      shown = key;
      const children = picked === undefined || picked === null ? null : build(picked, process);
      element.hidden = !children;
      replace(element, children);
    },
  };
}

/** The head of a panel: its title, and what one can do there. */
export function panelHead(title, ...actions) {
  return h("div", { class: "panel-head" }, h("h2", null, title), h("div", { class: "panel-actions" }, actions));
}

/** A text as it was written, in a box that scrolls where it is long. */
export function plain(value) {
  const element = h("pre", { class: "plain", dir: "auto" }, visible(value));
  reachable([element]);
  return element;
}

/** Lets the keyboard reach those elements whose content is larger than they are, as long as it is. */
export function reachable(elements) {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
      if (scrolls) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const element of elements) observer.observe(element);
}

/** A button that copies a text. */
export function copyButton(context, label, what, value) {
  return h("button", {
    type: "button", class: "button small quiet",
    on: { click: () => copy(context, what, typeof value === "function" ? value() : value) },
  }, label);
}
