/** The texts of a process that are shown as they are: what it was asked, why it failed, the rest. */

import { h } from "../dom.js";
import { count } from "../format.js";
import { jsonTree } from "./json-tree.js";
import { panelHead, part, plain } from "./part.js";

const SHORT = 140;
const MORE = ["groupMetadata", "codeReviewMetadata", "discoveryMetadata", "codeReviewGroupMetadata"];

export function errorText() {
  return part({
    class: "panel error-panel",
    "aria-label": "Error",
    pick: ({ error }) => error || undefined,
    build: (error) => [panelHead("Error"), plain(error)],
  });
}

/** The whole prompt, where the heading doesn't say all of it. */
export function prompt() {
  return part({
    class: "panel",
    "aria-label": "Prompt",
    pick: ({ fullPrompt, promptPreview }) => {
      const all = fullPrompt || promptPreview;
      return all !== promptPreview || all.length > SHORT || all.includes("\n") ? all : undefined;
    },
    build: (all) => folded("Prompt", amount(all), () => plain(all)),
  });
}

export function metadata() {
  return part({
    class: "panel",
    "aria-label": "Metadata",
    pick: (process) => {
      const { workspaceId, workspaceName, ...rest } = process.metadata ?? {};
      const all = { ...rest };
      for (const name of MORE) if (process[name]) all[name] = process[name];
      return Object.keys(all).length > 0 ? all : undefined;
    },
    build: (all) => folded("Metadata", `${Object.keys(all).length}`, () => jsonTree(all)),
  });
}

/** A part that is closed, and made only when it is opened. */
function folded(title, hint, make) {
  const details = h("details", { class: "folded" },
    h("summary", null, h("h2", null, title), h("span", { class: "hint" }, hint)));
  details.addEventListener("toggle", () => details.open && details.append(make()), { once: true });
  return details;
}

function amount(words) {
  const lines = words.split("\n").length;
  return lines > 1 ? `${count(lines)} lines` : `${count(words.length)} characters`;
}
