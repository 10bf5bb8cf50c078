/** Questions, the help, short notices. */

import { append, h, text } from "./dom.js";
import { icon } from "./icons.js";
import { registered } from "./shortcuts.js";

const TOAST_MS = 4000;

/**
 * Asks before something is done.
 *
 * @param {{title: string, text?: string, action: string, danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text: body, action, danger = false }) {
  return new Promise((resolve) => {
    const dialog = show({
      title,
      body: body && h("p", null, text(body)),
      buttons: [
        h(
          "button",
          { type: "button", class: "button", on: { click: () => dialog.close() } },
          "Go back",
        ),
        h(
          "button",
          {
            type: "button",
            class: ["button", danger ? "danger" : "primary"],
            autofocus: true,
            on: { click: () => dialog.close("yes") },
          },
          action,
        ),
      ],
      onClose: () => resolve(dialog.returnValue === "yes"),
    });
  });
}

/** Lists the keys that work now. */
export function help() {
  if (document.querySelector("dialog[open]")) return;
  const dialog = show({
    title: "Keyboard",
    body: registered()
      .filter(({ keys }) => keys.length > 0)
      .map(({ scope, keys }) => [
        h("h3", { class: "keys-scope" }, scope),
        h(
          "dl",
          { class: "keys" },
          keys.map(({ key, help: what }) => [
            h("dt", null, h("kbd", null, keyName(key))),
            h("dd", null, what),
          ]),
        ),
      ]),
    buttons: [
      h(
        "button",
        { type: "button", class: "button", autofocus: true, on: { click: () => dialog.close() } },
        "Close",
      ),
    ],
  });
}

function keyName(key) {
  return (
    {
      ArrowUp: "↑",
      ArrowDown: "↓",
      ArrowLeft: "←",
      ArrowRight: "→",
      " ": "space",
      Escape: "esc",
      Enter: "enter",
    }[key] ?? key
  );
}

/** Says something for some seconds. */
export function toast(message) {
  const toasts = document.getElementById("toasts");
  const element = h("div", { class: "toast" }, text(message));
  append(toasts, element);
  setTimeout(() => element.remove(), TOAST_MS);
}

function show({ title, body, buttons, onClose }) {
  const close = h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": "Close",
      on: { click: () => dialog.close() },
    },
    icon("close"),
  );
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "dialog-title" },
    h("div", { class: "dialog-head" }, h("h2", { id: "dialog-title" }, text(title)), close),
    h("div", { class: "dialog-body" }, body),
    h("div", { class: "dialog-buttons" }, buttons),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
