/** How one likes to read logs, kept by the browser. */

const KEY = "pipeline-host.log";
const DEFAULTS = { wrap: true, times: false };

/** `{wrap, times}`, as they were chosen last. */
export function choices() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return {
      wrap: typeof kept.wrap === "boolean" ? kept.wrap : DEFAULTS.wrap,
      times: typeof kept.times === "boolean" ? kept.times : DEFAULTS.times,
    };
  } catch {
    return { ...DEFAULTS };
  }
}

export function keep(chosen) {
  try {
    localStorage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // Storage can be forbidden; then the choice lasts until the page is left.
  }
}
