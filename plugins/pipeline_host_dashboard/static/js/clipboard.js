/** Copying. */

import { h } from "./dom.js";

/** Puts a text on the clipboard and says so. */
export async function copy(context, what, value) {
  try {
    await writeText(value);
    context.toast(`${what} copied`);
  } catch {
    context.toast("The browser doesn't let this page copy");
  }
}

async function writeText(value) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(value);
    return;
  }
  // Over plain HTTP from another machine there is no clipboard for pages, only this.
  const field = h("textarea", { class: "visually-hidden", "aria-hidden": "true" });
  field.value = value;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("refused");
}
