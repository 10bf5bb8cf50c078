/** What the list says when it has nothing to show. */

import { command, curlLine, runLine } from "../commands.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";

/** Nothing was ever reported, or all of it was cleared: how to begin. */
export function emptyServer({ context, workspace, onAllWorkspaces }) {
  return h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-icon" }, icon("terminal")),
    h("h2", null, workspace ? "Nothing has run in this workspace" : "Nothing has run yet"),
    h("p", null, "Put this in front of any command. It runs as always, and appears here, live:"),
    command(context, runLine()),
    h(
      "p",
      { class: "empty-more" },
      "Editors and scripts report over HTTP. This makes a process with curl:",
    ),
    command(context, curlLine()),
    workspace &&
      h(
        "button",
        { type: "button", class: "button", on: { click: onAllWorkspaces } },
        "Show all workspaces",
      ),
  );
}

/** Nothing matches. */
export function emptyMatch({ onClear }) {
  return h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-icon" }, icon("filter")),
    h("h2", null, "No process matches"),
    h("p", null, "Nothing has this text, status and type."),
    h(
      "button",
      { type: "button", class: "button primary", on: { click: onClear } },
      "Show all processes",
    ),
  );
}

/** The list can't be read. */
export function failure({ message, onRetry }) {
  return h(
    "div",
    { class: "empty", role: "alert" },
    h("span", { class: "empty-icon" }, icon("warning")),
    h("h2", null, "The processes can't be read"),
    h("p", null, message),
    h("button", { type: "button", class: "button primary", on: { click: onRetry } }, "Try again"),
  );
}
