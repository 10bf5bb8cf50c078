/** The theme: automatic, light or dark, kept by the browser. */

const KEY = "pipeline-host.theme";
const THEMES = ["auto", "light", "dark"];

/** What was chosen. */
export function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

/** The one that comes after the chosen one. */
export function nextTheme() {
  return THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
}

export function setTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    if (name === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, name);
  } catch {
    // Storage can be forbidden; then the choice lasts until the page is left.
  }
}
