/** Lines that people can put into their terminals to see something here. */

import { copy } from "./clipboard.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

const DEFAULT_ORIGIN = "http://127.0.0.1:4000";

/** A command with a button that copies it. */
export function command(context, line) {
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
        on: { click: () => copy(context, "Command", line) },
      },
      icon("copy"),
    ),
  );
}

/** Runs a command and reports it to this server. */
export function runLine() {
  const server = location.origin === DEFAULT_ORIGIN ? "" : `--server ${location.origin} `;
  return `pipeline-host run ${server}-- make test`;
}

/** Makes a process with nothing but curl. */
export function curlLine() {
  const body = JSON.stringify({
    promptPreview: "hello",
    status: "running",
    startTime: `${new Date().toISOString().slice(0, 19)}Z`,
  });
  return `curl ${location.origin}/api/processes -H 'Content-Type: application/json' -d '${body}'`;
}
