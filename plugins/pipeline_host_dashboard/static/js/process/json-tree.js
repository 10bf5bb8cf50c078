/** A JSON value as a tree that opens level by level, so that a large one costs nothing at first. */

import { h, visible } from "../dom.js";
import { count } from "../format.js";

const AT_ONCE = 100;
const OPEN_UP_TO = 12;
const LONG = 2000;

/** A number that JavaScript can't hold exactly, as it was written. */
class Numeral {
  constructor(source) {
    this.source = source;
  }
}

/**
 * Reads JSON without changing large numbers.
 *
 * @throws {SyntaxError} it isn't JSON
 */
export function parseJson(json) {
  return JSON.parse(json, (key, value, context) => {
    const exact = typeof value !== "number" || !context?.source || sameNumber(value, context.source);
    return exact ? value : new Numeral(context.source);
  });
}

/** Whether a number can be written in place of its source: the digits are what counts. */
function sameNumber(value, source) {
  return String(value) === source || (Number.isSafeInteger(value) && /^-?\d+$/.test(source))
    || digits(String(value)) === digits(source);
}

function digits(numeral) {
  return numeral.toLowerCase().split("e")[0].replace(/[-.]/g, "").replace(/^0+|0+$/g, "");
}

/** @returns {HTMLElement} */
export function jsonTree(value) {
  if (!isBranch(value)) return h("div", { class: "json" }, leaf(value));
  return h("div", { class: "json" }, entries(value, 0));
}

function isBranch(value) {
  return typeof value === "object" && value !== null && !(value instanceof Numeral);
}

function entries(value, depth) {
  const keys = Array.isArray(value) ? null : Object.keys(value);
  const size = keys ? keys.length : value.length;
  const list = h("ul", null);
  if (size === 0) list.append(h("li", { class: "json-empty" }, keys ? "{ }" : "[ ]"));
  const more = (from) => {
    const to = Math.min(size, from + AT_ONCE);
    for (let i = from; i < to; i += 1) {
      const key = keys ? keys[i] : i;
      list.append(entry(key, value[key], depth));
    }
    if (to < size) list.append(moreButton(size - to, () => more(to)));
  };
  more(0);
  return list;
}

function moreButton(left, show) {
  const item = h("li", null, h("button", {
    type: "button",
    class: "button small quiet",
    on: { click: () => { item.remove(); show(); } },
  }, `Show more of ${count(left)} others`));
  return item;
}

function entry(key, value, depth) {
  const name = h("bdi", { class: typeof key === "number" ? "json-index" : "json-key" }, visible(key));
  if (!isBranch(value)) return h("li", null, name, h("span", { class: "json-colon" }, ": "), leaf(value));
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  const hint = Array.isArray(value) ? `[ ${count(size)} ]` : `{ ${count(size)} }`;
  const details = h("details", null, h("summary", null, name, h("span", { class: "json-hint" }, ` ${hint}`)));
  details.addEventListener("toggle", () => details.open && details.append(entries(value, depth + 1)), { once: true });
  if (depth === 0 && size > 0 && size <= OPEN_UP_TO) details.open = true;
  return h("li", null, details);
}

function leaf(value) {
  if (typeof value === "string") return textLeaf(value);
  const kind = value === null ? "null" : value instanceof Numeral ? "number" : typeof value;
  return h("span", { class: `json-${kind}` }, value instanceof Numeral ? value.source : String(value));
}

function textLeaf(value) {
  const element = h("bdi", { class: "json-string" }, visible(value.slice(0, LONG)));
  if (value.length <= LONG) return element;
  const rest = h("button", {
    type: "button",
    class: "button small quiet",
    on: { click: () => { element.textContent = visible(value); rest.remove(); } },
  }, `Show all ${count(value.length)} characters`);
  return [element, rest];
}
