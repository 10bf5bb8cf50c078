/** The head of a process's page: what it is, how it is, how long it takes. */

import { h, replace, setProp, text, visible } from "../dom.js";
import { ago, elapsed, fullTime } from "../format.js";
import { icon } from "../icons.js";
import { processHref } from "../router.js";
import { workspaceLabel } from "../workspaces.js";
import { part } from "./part.js";

const ENDED = new Set(["completed", "failed", "cancelled"]);

export class Heading {
  element;
  #parts;
  #took = h("span", { class: "took" });
  #started = h("span", { class: "started" });
  #context;

  constructor({ context }) {
    this.#context = context;
    this.#parts = [this.#path(), title(), this.#state()];
    this.element = h("header", { class: "process-heading" }, this.#parts.map(({ element }) => element));
  }

  update(process, removed) {
    for (const one of this.#parts) one.update(process, removed);
    this.tick(process);
  }

  /** Shows the time that went by. */
  tick(process) {
    const waits = process.status === "queued";
    const verb = ENDED.has(process.status) ? "took" : waits ? "waiting for" : "for";
    say(this.#took, `${verb} ${elapsed(process)}`);
    say(this.#started, `started ${ago(process.startTime)}`);
    setProp(this.#started, "title", fullTime(process.startTime));
    setProp(this.#took, "title", process.endTime ? `Ended ${fullTime(process.endTime)}` : null);
  }

  #path() {
    return part({
      tag: "nav",
      class: "process-path",
      "aria-label": "Where it belongs",
      pick: ({ metadata, parentProcessId }) => {
        const { workspaceId, workspaceName } = metadata ?? {};
        return [workspaceId, workspaceName, parentProcessId, this.#context.workspaces.get(workspaceId).color];
      },
      build: ([workspace, name, parent]) => [
        h("a", { href: "/" }, "Processes"),
        typeof workspace === "string" && [
          separator(),
          h("a", { href: `/?workspace=${encodeURIComponent(workspace)}` }, this.#workspace(workspace, name)),
        ],
        parent && [separator(), this.#parent(parent)],
      ],
    });
  }

  #workspace(id, name) {
    const known = this.#context.workspaces.get(id);
    return workspaceLabel(name ? { ...known, name } : known);
  }

  /** A link to the parent, which gets its words when they are known. */
  #parent(id) {
    const link = h("a", { href: processHref(id), class: "process-parent", title: visible(id) }, text(id));
    this.#context.api.rowsOf([id]).then(
      ([parent]) => parent?.promptPreview && replace(link, text(parent.promptPreview)),
      () => {}, // a parent may be gone; its id stays
    );
    return link;
  }

  #state() {
    return part({
      tag: "p",
      class: "process-state",
      pick: ({ status, type, exitCode }) => ({ status, type, exitCode }),
      build: ({ status, type, exitCode }) => [
        h("span", { class: "status pill", dataset: { status } }, icon(status), status),
        this.#took,
        exitCode !== undefined && h("span", { class: exitCode === 0 ? null : "bad" }, `exit code ${exitCode}`),
        h("span", null, text(type)),
        this.#started,
      ],
    });
  }
}

function title() {
  return part({
    tag: "h1",
    pick: ({ promptPreview, id }) => promptPreview.trim() || id,
    build: (preview) => text(preview),
  });
}

function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

function separator() {
  return h("span", { class: "separator", "aria-hidden": "true" }, "/");
}
