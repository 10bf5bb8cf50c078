/** What one can do with a log, above it. */

import { h, setProp } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";

/**
 * @param {object} options
 * @param {HTMLElement} options.finder
 * @param {string} options.href where the whole output can be had
 * @param {string} options.name of the file that it is saved as
 * @param {Record<"wrap" | "times" | "follow" | "expand", () => void>} options.toggle
 */
export function toolbar({ finder, href, name, toggle }) {
  const total = h("span", { class: "log-total" });
  const switches = {
    follow: h("button", {
      type: "button", class: "button small quiet log-follow", title: "Keep the end in sight (G)", "aria-pressed": "false",
      on: { click: toggle.follow },
    }, "Follow"),
    times: pressed("clock", "Times (t)", toggle.times),
    wrap: pressed("wrap", "Wrap long lines (w)", toggle.wrap),
    expand: pressed("fit", "Fill the window (f)", toggle.expand),
  };
  const download = h("a", {
    class: "icon-button", href, download: name, title: "Download", "aria-label": "Download the output",
  }, icon("download"));
  const element = h("div", { class: "log-bar" }, finder,
    h("div", { class: "log-tools" }, total, switches.follow, switches.times, switches.wrap, download, switches.expand));
  return {
    element,
    /** Shows how many lines there are, and which switches are on. */
    update({ lines, ...states }) {
      const words = lines === 1 ? "1 line" : `${count(lines)} lines`;
      if (total.textContent !== words) total.textContent = words;
      for (const [name, on] of Object.entries(states)) setProp(switches[name], "aria-pressed", String(on));
    },
  };
}

function pressed(name, label, run) {
  return h("button", {
    type: "button", class: "icon-button", title: label, "aria-label": label.replace(/ \(.\)$/, ""), "aria-pressed": "false",
    on: { click: run },
  }, icon(name));
}
