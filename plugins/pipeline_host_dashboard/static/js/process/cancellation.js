/** What became of a request to stop a process: requested, then what its reporter says. */

import { h } from "../dom.js";
import { duration, fullTime, time } from "../format.js";
import { icon } from "../icons.js";
import { part } from "./part.js";

const OUTCOMES = {
  terminated: { icon: "check", title: "Terminated", words: "It stopped when it was asked to" },
  killed: { icon: "stop", title: "Killed", words: "It didn't stop by itself and was ended by force" },
  ignored: { icon: "warning", title: "Ignored", words: "It went on to its own end" },
};

export function cancellation() {
  return part({
    class: "panel cancellation",
    "aria-label": "Cancellation",
    pick: (process) => process.cancellation,
    build: ({ requestedTime, outcome, outcomeTime }) =>
      h("ol", { class: "steps" },
        step("done", "check", "Cancel requested", moment(requestedTime)),
        outcome ? outcomeStep(outcome, requestedTime, outcomeTime)
          : step("waiting", "clock", "Not acknowledged yet", "Whoever runs it has not said what became of it")),
  });
}

function outcomeStep(outcome, requested, time) {
  const known = OUTCOMES[outcome] ?? { icon: "check", title: outcome, words: "" };
  const after = time && Date.parse(time) - Date.parse(requested);
  const late = after >= 0 ? `after ${duration(after)}` : null;
  return step(outcome, known.icon, known.title, known.words, late && h("span", { title: fullTime(time) }, ` · ${late}`));
}

function step(state, name, title, ...words) {
  return h("li", { dataset: { state } }, icon(name), h("div", null, h("strong", null, title), h("p", null, words)));
}

function moment(iso) {
  return h("time", { datetime: iso, title: fullTime(iso) }, time(iso));
}
