/** The list of processes: by status, newest first, as it is now. */

import { h, replace } from "../dom.js";
import { count } from "../format.js";
import { emptyMatch, emptyServer, failure } from "./empty.js";
import { Feed } from "./feed.js";
import { TERMINAL, fromQuery, isNarrowed, toQuery } from "./filters.js";
import { Groups } from "./groups.js";
import { shortcuts } from "./keys.js";
import { RowView } from "./row.js";
import { toolbar } from "./toolbar.js";

/** Where somebody was when the list was left, to come back there. */
let left = null;

export function mount(container, params, context) {
  const list = new List(container, context);
  list.open();
  return { unmount: () => list.close() };
}

class List {
  #context;
  #feed;
  #groups;
  #toolbar;
  #message = h("div", null);
  #offs = [];

  constructor(container, context) {
    this.#context = context;
    const { router, workspaces } = context;
    const filters = fromQuery(router.current().query);
    this.#feed = new Feed(filters, context, {
      onChange: () => this.#groups.draw(),
      onLoaded: ({ isUpdate }) => this.#loaded(isUpdate),
      onFailure: (error) => this.#fail(error),
      onError: (error) => context.toast(error.message),
      seen: () => this.#groups.seen,
    });
    this.#groups = new Groups(() => this.#feed, {
      makeRow: () => this.#makeRow(),
      onMore: (status) => this.#feed.more(status),
      onMoreParts: (id) => this.#feed.moreParts(id),
      onClear: (status) => this.#clear(status),
      onDrawn: () => this.#drawn(),
    });
    this.#toolbar = toolbar(filters, workspaces, (chosen) => this.#narrow(chosen));
    container.append(
      h(
        "div",
        { class: "page list-page" },
        h("h1", { class: "visually-hidden" }, "Processes"),
        this.#toolbar.element,
        this.#groups.element,
        this.#message,
      ),
    );
  }

  open() {
    const { workspaces, shortcuts: keys } = this.#context;
    this.#toolbar.reveal();
    const ticker = setInterval(() => this.#groups.tick(), 1000);
    this.#offs = [
      () => clearInterval(ticker),
      workspaces.onChange(() => this.#groups.draw()),
      keys.register(shortcuts(this), "List"),
    ];
    const back = left?.query === toQuery(this.#feed.filters).toString() ? left : null;
    if (back) this.#feed.expanded = back.expanded;
    this.#feed.load({ depth: back?.depth ?? {} }).then(() => back && this.#return(back));
  }

  close() {
    left = {
      query: toQuery(this.#feed.filters).toString(),
      depth: this.#feed.depth,
      expanded: this.#feed.expanded,
      scroll: scrollY,
      current: this.#groups.current,
    };
    for (const off of this.#offs) off();
    this.#feed.close();
    this.#groups.close();
    this.#toolbar.close();
  }

  // What the keys do

  focusSearch() {
    this.#toolbar.focusSearch();
  }

  /** The row that has the focus. */
  focused() {
    return this.#feed.model.rows.get(this.#groups.focused()?.id);
  }

  move(step) {
    this.#groups.move(step);
  }

  /** Shows or hides what belongs to a row; `false` where nothing does. */
  toggle(row, expanded = !this.#feed.expanded.has(row.id)) {
    if (!this.#feed.isExpandable(row)) return false;
    this.#feed.toggle(row.id, expanded);
    return true;
  }

  async cancel(row) {
    if (TERMINAL.has(row.status)) return;
    const { api, confirm, toast } = this.#context;
    const sure = await confirm({
      title: "Cancel this process?",
      text: row.promptPreview.slice(0, 200) || row.id,
      action: "Cancel it",
      danger: true,
    });
    if (!sure) return;
    try {
      const { status, endTime } = await api.cancel(row.id);
      this.#feed.take([{ ...row, status, endTime }]);
    } catch (error) {
      toast(error.message);
    }
  }

  // What is shown

  #makeRow() {
    const { router, workspaces } = this.#context;
    const rowOf = (id) => this.#feed.model.rows.get(id);
    return new RowView({
      href: router.processHref,
      workspace: (row) => workspaces.get(row.workspaceId),
      onToggle: (id) => this.toggle(rowOf(id)),
      onCancel: (id) => this.cancel(rowOf(id)),
    });
  }

  #loaded(isUpdate) {
    if (this.#message.dataset.kind === "failure") this.#say("");
    if (!isUpdate)
      this.#context.announce(
        this.#total() === 1 ? "1 process" : `${count(this.#total())} processes`,
      );
  }

  #drawn() {
    const { counts, filters, model } = this.#feed;
    this.#toolbar.setCounts(counts);
    this.#toolbar.addTypes(new Set([...model.rows.values()].map((row) => row.type)));
    if (this.#total() > 0) this.#say("");
    else if (isNarrowed(filters))
      this.#say("match", () => emptyMatch({ onClear: () => this.#reset() }));
    else this.#say(`server ${filters.workspace}`, () => this.#emptyServer(filters.workspace));
  }

  #emptyServer(workspace) {
    return emptyServer({
      workspace,
      context: this.#context,
      onAllWorkspaces: () => this.#reset({ workspace: "" }),
    });
  }

  #fail(error) {
    if (this.#feed.counts !== null && error.status === 0) return; // the banner says it
    this.#say("failure", () =>
      failure({ message: error.message, onRetry: () => this.#feed.load() }),
    );
  }

  #say(kind, make) {
    if ((this.#message.dataset.kind ?? "") === kind) return;
    this.#message.dataset.kind = kind;
    replace(this.#message, make?.());
  }

  #total() {
    return this.#feed.statuses.reduce((sum, status) => sum + this.#feed.counts[status], 0);
  }

  #return({ scroll, current }) {
    requestAnimationFrame(() => {
      scrollTo({ top: scroll, behavior: "instant" });
      requestAnimationFrame(() => this.#groups.view(current)?.link.focus({ preventScroll: true }));
    });
  }

  // What people do

  #reset(filters = {}) {
    const all = { ...this.#feed.filters, statuses: [], type: "", q: "", ...filters };
    this.#toolbar.set(all);
    this.#narrow(all);
  }

  #narrow(filters) {
    this.#context.router.setQuery(toQuery(filters));
    this.#feed.narrow(filters);
  }

  async #clear(status) {
    const { api, confirm, toast, workspaces } = this.#context;
    const { counts, filters } = this.#feed;
    const where = filters.workspace ? ` of ${workspaces.get(filters.workspace).name}` : "";
    const sure = await confirm({
      title: `Clear ${status} processes?`,
      text: `${count(counts[status])} ${status} ${counts[status] === 1 ? "process" : "processes"}${where} and their output are deleted for good.`,
      action: "Delete them",
      danger: true,
    });
    if (!sure) return;
    try {
      const removed = await api.clear([status], filters.workspace);
      toast(removed === 1 ? "1 process was deleted" : `${count(removed)} processes were deleted`);
    } catch (error) {
      toast(error.message);
    }
  }
}
