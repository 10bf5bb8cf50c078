/** Building elements. What comes from outside gets into the page as text nodes, never as HTML. */

const SCRIPTED_URL = /^(?:javascript|vbscript|data):/i;
/** Browsers leave these out of an address before they look at its scheme. */
const IGNORED = /[\u0000-\u0020]/g;

/**
 * Makes an element.
 *
 * @param {string} tag
 * @param {object | null} props attributes by their HTML names; besides them `class` (a text, or a
 *   list whose empty entries are left out), `dataset`, `style` (custom or plain CSS properties) and
 *   `on` (listeners by event). `true` sets an attribute without a value; `false`, `null` and
 *   `undefined` leave it out.
 * @param {...any} children nodes, texts, numbers, or lists of them; empty ones are left out.
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProp(element, name, value);
  append(element, children);
  return element;
}

/** Sets one property as `h` does; `null` or `false` removes an attribute. */
export function setProp(element, name, value) {
  if (name === "class") element.className = [value].flat().filter(Boolean).join(" ");
  else if (name === "dataset") setDataset(element, value);
  else if (name === "style") setStyle(element, value);
  else if (name === "on") listen(element, value);
  else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else {
    if (/^on/i.test(name) || name === "srcdoc") throw new TypeError(`${name}: not an attribute`);
    if ((name === "href" || name === "src") && isScripted(value)) return;
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

function isScripted(url) {
  return SCRIPTED_URL.test(String(url).replace(IGNORED, ""));
}

function setDataset(element, values) {
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined) delete element.dataset[key];
    else element.dataset[key] = String(value);
  }
}

function setStyle(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
}

function listen(element, listeners) {
  for (const [event, listener] of Object.entries(listeners)) {
    if (listener) element.addEventListener(event, listener);
  }
}

/** Adds children as `h` does. */
export function append(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Puts other children in the place of those that there are. */
export function replace(element, ...children) {
  element.replaceChildren();
  return append(element, ...children);
}

const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]/g;

/**
 * A text whose control characters can be seen and do nothing: a bidirectional override could show
 * a text in another order than it has, an escape character could hide one. Tabs and line feeds
 * stay.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function visible(value) {
  return String(value ?? "").replace(HIDDEN, (character) => {
    const code = character.codePointAt(0);
    if (code === 0x0d) return "";
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u2039U+${code.toString(16).toUpperCase().padStart(4, "0")}\u203a`;
  });
}

/**
 * A text from outside as an element that keeps its writing direction to itself.
 *
 * @param {unknown} value
 * @returns {HTMLElement} a `<bdi>`
 */
export function text(value) {
  return h("bdi", null, visible(value));
}
