/** The short facts of a process, beside the long ones. */

import { h, text } from "../dom.js";
import { fullTime, time } from "../format.js";
import { copyButton, part } from "./part.js";

export function facts({ context }) {
  return part({
    tag: "aside",
    class: "process-facts panel",
    "aria-label": "Facts",
    pick: (process) => [
      process.workingDirectory, process.backend, process.type, process.metadata?.workspaceId,
      process.metadata?.workspaceName, process.startTime, process.endTime, process.lease?.seconds, process.id,
      process.sdkSessionId, process.resultFilePath, process.rawStdoutFilePath,
    ],
    build: (_, process) => h("dl", null, rows(process, context)),
  });
}

function rows(process, context) {
  const { metadata } = process;
  const workspace = metadata?.workspaceName || metadata?.workspaceId;
  return [
    fact("Working directory", process.workingDirectory, code),
    fact("Backend", process.backend, text),
    fact("Type", process.type, text),
    fact("Workspace", typeof workspace === "string" ? workspace : undefined, text),
    fact("Started", process.startTime, moment),
    fact("Ended", process.endTime, moment),
    fact("Lease", process.endTime ? undefined : process.lease?.seconds, (seconds) => `fails unless heard from every ${seconds} s`),
    fact("Id", process.id, (id) => [code(id), copyButton(context, "Copy", "Id", id)]),
    fact("Session", process.sdkSessionId, code),
    fact("Result file", process.resultFilePath, code),
    fact("Raw output file", process.rawStdoutFilePath, code),
  ];
}

function fact(name, value, show) {
  if (value === undefined || value === "") return null;
  return h("div", { class: "fact" }, h("dt", null, name), h("dd", null, show(value)));
}

function code(value) {
  return h("code", null, text(value));
}

function moment(iso) {
  return h("time", { datetime: iso, title: fullTime(iso) }, time(iso));
}
