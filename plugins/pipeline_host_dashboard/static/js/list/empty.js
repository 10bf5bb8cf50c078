/** What the list says when it has nothing to show. */

import { h } from "../dom.js";
import { icon } from "../icons.js";

const DEFAULT_ORIGIN = "http://127.0.0.1:4000";

/** Nothing was ever reported, or all of it was cleared: how to begin. */
export function emptyServer({ copy, workspace, onAllWorkspaces }) {
  return h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-icon" }, icon("terminal")),
    h("h2", null, workspace ? "Nothing has run in this workspace" : "Nothing has run yet"),
    h("p", null, "Put this in front of any command. It runs as always, and appears here, live:"),
    command(runLine(), copy),
    h(
      "p",
      { class: "empty-more" },
      "Editors and scripts report over HTTP. This makes a process with curl:",
    ),
    command(curlLine(), copy),
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

function command(line, copy) {
  return h(
    "div",
    { class: "command" },
    h("code", null, line),
    h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": "Copy this command",
        title: "Copy",
        on: { click: () => copy(line) },
      },
      icon("copy"),
    ),
  );
}

function runLine() {
  const server = location.origin === DEFAULT_ORIGIN ? "" : `--server ${location.origin} `;
  return `pipeline-host run ${server}-- make test`;
}

function curlLine() {
  const body = JSON.stringify({
    promptPreview: "hello",
    status: "running",
    startTime: `${new Date().toISOString().slice(0, 19)}Z`,
  });
  return `curl ${location.origin}/api/processes -H 'Content-Type: application/json' -d '${body}'`;
}
