/** Keys that do something: registered by views, listed in the help. */

const layers = [];

/**
 * Makes keys work until the returned function is called. Of two for one key the later one counts.
 *
 * @param {Record<string, {run: (event: KeyboardEvent) => unknown, help?: string}>} keymap by
 *   `KeyboardEvent.key`; a `run` that returns `false` leaves the key to others.
 * @param {string} scope what the help calls the group
 */
export function register(keymap, scope) {
  const layer = { keymap, scope };
  layers.push(layer);
  return () => {
    const index = layers.indexOf(layer);
    if (index >= 0) layers.splice(index, 1);
  };
}

/** What is registered, for the help: groups with their keys and what they do. */
export function registered() {
  return layers.map(({ keymap, scope }) => ({
    scope,
    keys: Object.entries(keymap)
      .filter(([, { help }]) => help)
      .map(([key, { help }]) => ({ key, help })),
  }));
}

export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.isComposing || isTyping(event) || document.querySelector("dialog[open]")) return;
    for (const { keymap } of [...layers].reverse()) {
      const found = Object.hasOwn(keymap, event.key) ? keymap[event.key] : null;
      if (found && found.run(event) !== false) {
        event.preventDefault();
        return;
      }
    }
  });
}

/** Whether a key belongs to the element that has the focus: a field, or a button's own keys. */
function isTyping(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("input, textarea, select")) return true;
  return (event.key === "Enter" || event.key === " ") && target.matches("a, button, summary");
}
