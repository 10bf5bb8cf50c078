/** A structured result: JSON as a tree. */

import { jsonTree, parseJson } from "./json-tree.js";
import { copyButton, panelHead, part, plain } from "./part.js";

export function structured({ context }) {
  return part({
    class: "panel",
    "aria-label": "Structured result",
    pick: ({ structuredResult }) => structuredResult || undefined,
    build: (json) => [
      panelHead("Structured result", copyButton(context, "Copy", "Structured result", json)),
      tree(json),
    ],
  });
}

function tree(json) {
  try {
    return jsonTree(parseJson(json));
  } catch {
    return plain(json);
  }
}
