/** The list of processes: by status, newest first, as it is now. */

import { h, replace } from "../dom.js";
import { count } from "../format.js";
import { emptyMatch, emptyServer, failure } from "./empty.js";
import { STATUSES, TERMINAL, fromQuery, isNarrowed, matches, shownStatuses, toQuery, toRequest } from "./filters.js";
import { GroupView } from "./group.js";
import { shortcuts } from "./keys.js";
import { Model } from "./model.js";
import { RowView } from "./row.js";
import { toolbar } from "./toolbar.js";

const PAGE = 50;
const DEEPEST = 300;
const CHILDREN = 500;
const ASKED_AT_ONCE = 100;
const QUIET_MS = 200;
const FOLDED = "pipeline-host.folded";

/** Where somebody was when the list was left, to come back there. */
let left = null;

export function mount(container, params, context) {
  const list = new List(container, context);
  list.open();
  return { unmount: () => list.close() };
}

class List {
  #context;
  #model;
  #filters = fromQuery(new URLSearchParams(location.search));
  #counts = null;
  #views = new Map();
  #groups = new Map();
  #expanded = new Set();
  #folded = readFolded();
  #offs = [];
  #loading = new AbortController();
  #asked = { parents: new Set(), dirty: new Set(), counts: false, search: false };
  #timer = null;
  #frame = null;
  #drawn = 0;

  constructor(container, context) {
    this.#context = context;
    this.#model = new Model(this.#filters);
    const { workspaces } = context;
    this.toolbar = toolbar(this.#filters, workspaces, (filters) => this.#narrow(filters));
    this.body = h("div", { class: "groups" });
    this.message = h("div", null);
    this.page = h("div", { class: "page list-page" }, h("h1", { class: "visually-hidden" }, "Processes"), this.toolbar.element, this.body, this.message);
    container.append(this.page);
    for (const status of STATUSES) this.#groups.set(status, this.#group(status));
    replace(this.body, [...this.#groups.values()].map(({ element }) => element));
  }

  open() {
    const { live, workspaces, shortcuts: keys } = this.#context;
    this.#offs = [
      live.on("change", (message) => this.#hear(message)),
      live.on("resync", () => this.#load({ keep: true })),
      workspaces.onChange(() => this.#draw()),
      keys.register(shortcuts(this), "List"),
    ];
    const ticker = setInterval(() => this.#tick(), 1000);
    this.#offs.push(() => clearInterval(ticker));
    const back = left?.query === toQuery(this.#filters).toString() ? left : null;
    if (back) this.#expanded = back.expanded;
    this.#load({ depth: back?.depth }).then(() => back && this.#return(back));
  }

  close() {
    left = {
      query: toQuery(this.#filters).toString(),
      depth: Object.fromEntries([...this.#model.pagers].map(([status, pager]) => [status, pager.count])),
      expanded: this.#expanded,
      scroll: scrollY,
      id: document.activeElement?.closest?.(".row")?.dataset.id,
    };
    for (const off of this.#offs) off();
    for (const group of this.#groups.values()) group.close();
    this.#loading.abort();
    this.toolbar.close();
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
  }

  // What the keys do

  focusSearch() {
    this.toolbar.focusSearch();
  }

  /** The row that has the focus: its view. */
  focused() {
    return this.#views.get(document.activeElement?.closest?.(".row")?.dataset.id);
  }

  move(step) {
    const links = [...this.body.querySelectorAll(".row-link")].filter((link) => link.checkVisibility());
    const now = links.indexOf(this.focused()?.link);
    const next = now < 0 ? (step > 0 ? 0 : links.length - 1) : now + step;
    const link = links[Math.min(Math.max(next, 0), links.length - 1)];
    link?.focus({ preventScroll: true });
    link?.closest(".row-main").scrollIntoView({ block: "nearest" });
  }

  toggle(id, expanded = !this.#expanded.has(id)) {
    if (expanded) this.#expanded.add(id);
    else this.#expanded.delete(id);
    if (expanded) this.#loadChildren(id);
    this.#draw();
  }

  isExpandable(id) {
    const row = this.#model.rows.get(id);
    return !this.#model.flat && row !== undefined && (!!row.children || this.#model.hasChildren(id));
  }

  async cancel(id) {
    const row = this.#model.rows.get(id);
    if (!row || TERMINAL.has(row.status)) return;
    const { api, confirm, toast } = this.#context;
    const sure = await confirm({
      title: "Cancel this process?",
      text: row.promptPreview.slice(0, 200) || row.id,
      action: "Cancel it",
      danger: true,
    });
    if (!sure) return;
    try {
      this.#take([toRow(await api.cancel(id))]);
    } catch (error) {
      toast(error.message);
    }
  }

  // Reading

  async #load({ keep = false, depth } = {}) {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const before = this.#model;
    const model = new Model(this.#filters);
    const statuses = shownStatuses(this.#filters);
    const size = (status) => Math.min(DEEPEST, Math.max(PAGE, (keep ? before.pager(status).count : depth?.[status]) || 0));
    try {
      const [counts] = await Promise.all([
        this.#context.api.counts(toRequest(this.#filters), { signal }),
        ...statuses.map((status) => this.#read(model, status, size(status), signal)),
      ]);
      this.#counts = counts;
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(error);
      return;
    }
    if (signal.aborted) return;
    this.#model = model;
    if (keep) for (const id of this.#expanded) this.#loadChildren(id);
    else for (const id of [...this.#expanded]) if (model.rows.has(id)) this.#loadChildren(id);
    replace(this.message);
    this.#draw();
    if (!keep) this.#announce();
  }

  async #read(model, status, limit, signal) {
    const pager = model.pager(status);
    const { workspace, type, q } = toRequest(this.#filters);
    pager.loading = true;
    try {
      const page = await this.#context.api.rows(
        { workspace, type, q, status, limit, cursor: pager.cursor, top: !model.flat || null },
        { signal },
      );
      for (const row of page.processes) model.put(q ? { ...row, found: q } : row);
      pager.take(page);
    } finally {
      pager.loading = false;
    }
  }

  async #more(status) {
    const model = this.#model;
    const pager = model.pager(status);
    if (pager.done || pager.loading || pager.reached === null) return;
    try {
      await this.#read(model, status, PAGE, this.#loading.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.#context.toast(error.message);
      return;
    }
    if (model === this.#model) this.#draw();
  }

  async #loadChildren(id) {
    const model = this.#model;
    try {
      const { processes } = await this.#context.api.rows({ parent: id, limit: CHILDREN }, { signal: this.#loading.signal });
      if (model === this.#model) this.#take(processes);
    } catch (error) {
      if (error.name !== "AbortError") this.#context.toast(error.message);
    }
  }

  // What happens meanwhile

  #hear(message) {
    const model = this.#model;
    this.#asked.counts = true;
    if (message.type === "process-removed") this.#remove(message.processId);
    else if (message.type === "processes-cleared") {
      const gone = message.processIds.filter((id) => model.hasChildren(id));
      for (const id of message.processIds) this.#remove(id);
      if (gone.length > 0) this.#load({ keep: true });
    } else if (message.process) this.#put(message);
    this.#draw();
    this.#askSoon();
  }

  #put({ type, process }) {
    const model = this.#model;
    const isKnown = model.rows.has(process.id);
    const isPart = process.parentProcessId && (model.rows.has(process.parentProcessId) || model.wantsParent(process));
    if (this.#filters.workspace && process.workspaceId !== this.#filters.workspace && !isPart && !isKnown) return;
    if (process.parentProcessId) {
      const asked = model.wantsParent(process) ? this.#asked.parents : this.#asked.dirty;
      asked.add(process.parentProcessId);
    }
    if (matches(this.#filters, process) === undefined && !isKnown) this.#asked.search = true;
    if (isKnown && type === "process-updated") this.#asked.dirty.add(process.id);
    model.put(process);
  }

  #remove(id) {
    const hadChildren = this.#model.hasChildren(id);
    const row = this.#model.remove(id);
    this.#expanded.delete(id);
    if (row?.parentProcessId) this.#asked.dirty.add(row.parentProcessId);
    if (row && hadChildren) this.#model.miss([id]);
  }

  #askSoon() {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => this.#ask(), QUIET_MS);
  }

  /** Asks for what messages don't tell: counts, exit codes, parents, what is in a prompt. */
  async #ask() {
    const { parents, dirty, counts, search } = this.#asked;
    this.#asked = { parents: new Set(), dirty: new Set(), counts: false, search: false };
    const { api } = this.#context;
    const { signal } = this.#loading;
    const known = [...dirty].filter((id) => this.#model.rows.has(id));
    const ids = [...new Set([...parents, ...known])].slice(-ASKED_AT_ONCE);
    try {
      if (search) {
        await this.#load({ keep: true });
        return;
      }
      const [rows, numbers] = await Promise.all([
        ids.length > 0 ? api.rowsOf(ids, { signal }) : [],
        counts ? api.counts(toRequest(this.#filters), { signal }) : this.#counts,
      ]);
      const { workspace } = this.#filters;
      const listed = rows.filter((row) => this.#model.rows.has(row.id) || !workspace || row.workspaceId === workspace);
      this.#counts = numbers;
      this.#take(listed);
      this.#model.miss(parents);
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 0) this.#context.toast(error.message);
    } finally {
      this.#timer = null;
      if (this.#asked.counts) this.#askSoon();
    }
  }

  #take(rows) {
    for (const row of rows) this.#model.put(row);
    this.#draw();
  }

  // Showing

  /** Shows everything anew in the next frame; seldom enough that a flood of news stays smooth. */
  #draw() {
    if (this.#frame !== null) return;
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = null;
      if (now < this.#drawn) {
        this.#draw();
        return;
      }
      const before = performance.now();
      this.#show();
      this.#drawn = now + 4 * (performance.now() - before);
    });
  }

  #show() {
    const model = this.#model;
    if (this.#counts === null) return;
    const statuses = shownStatuses(this.#filters);
    const kept = new Set();
    const groups = model.groups(statuses);
    for (const [status, group] of this.#groups) {
      const rows = groups.get(status) ?? [];
      this.#place(group.rows, rows, kept);
      group.update({
        total: statuses.includes(status) ? Math.max(this.#counts[status], rows.length) : 0,
        more: statuses.includes(status) && !model.pager(status).done,
        clearable: TERMINAL.has(status) && !this.#filters.type && !this.#filters.q.trim(),
      });
    }
    for (const [id, view] of this.#views) {
      if (kept.has(id)) continue;
      view.element.remove();
      this.#views.delete(id);
    }
    this.toolbar.setCounts(this.#counts);
    this.toolbar.addTypes(new Set([...model.rows.values()].map((row) => row.type)));
    this.#showEmpty(statuses, kept.size);
  }

  /** Makes a list's elements those of the rows, and moves none that is where it belongs. */
  #place(list, rows, kept) {
    let next = list.firstElementChild;
    for (const row of rows) {
      kept.add(row.id);
      const view = this.#view(row.id);
      const expanded = this.#expanded.has(row.id);
      const expandable = this.isExpandable(row.id);
      view.update(row, { expandable, expanded });
      if (view.element === next) next = next.nextElementSibling;
      else list.insertBefore(view.element, next);
      this.#place(view.childList, expandable && expanded ? this.#model.children(row.id) : [], kept);
    }
  }

  #view(id) {
    let view = this.#views.get(id);
    if (!view) {
      const { router, workspaces } = this.#context;
      view = new RowView({
        href: router.processHref,
        workspace: (row) => workspaces.get(row.workspaceId),
        onToggle: (which) => this.toggle(which),
        onCancel: (which) => this.cancel(which),
      });
      this.#views.set(id, view);
    }
    return view;
  }

  #showEmpty(statuses, shown) {
    const total = statuses.reduce((sum, status) => sum + this.#counts[status], 0);
    const kind = shown > 0 || total > 0 ? "" : isNarrowed(this.#filters) ? "match" : `server${this.#filters.workspace}`;
    if (this.message.dataset.kind === kind) return;
    this.message.dataset.kind = kind;
    const reset = () => this.#narrow({ ...this.#filters, statuses: [], type: "", q: "" }, true);
    const all = () => this.#narrow({ ...this.#filters, workspace: "" }, true);
    if (!kind) replace(this.message);
    else if (kind === "match") replace(this.message, emptyMatch({ onClear: reset }));
    else replace(this.message, emptyServer({ copy: (line) => this.#copy(line), workspace: this.#filters.workspace, onAllWorkspaces: all }));
  }

  #fail(error) {
    if (this.#counts !== null && error.status === 0) return; // the banner says it
    this.message.dataset.kind = "failure";
    replace(this.message, failure({ message: error.message, onRetry: () => this.#load() }));
  }

  #announce() {
    const total = shownStatuses(this.#filters).reduce((sum, status) => sum + this.#counts[status], 0);
    this.#context.announce(total === 1 ? "1 process" : `${count(total)} processes`);
  }

  #tick() {
    for (const status of ["running", "queued"]) {
      for (const element of this.body.querySelectorAll(`.row[data-status="${status}"]`)) {
        this.#views.get(element.dataset.id)?.tick();
      }
    }
  }

  #return({ scroll, id }) {
    requestAnimationFrame(() => requestAnimationFrame(() => {
      scrollTo(0, scroll);
      this.#views.get(id)?.link.focus({ preventScroll: true });
    }));
  }

  // What people do

  #narrow(filters, isElsewhere = false) {
    this.#filters = filters;
    this.#context.router.setQuery(toQuery(filters));
    if (isElsewhere) this.toolbar.set(filters);
    this.#load();
  }

  #group(status) {
    return new GroupView(status, {
      folded: this.#folded.has(status),
      onMore: (which) => this.#more(which),
      onFold: (which, folded) => {
        if (folded) this.#folded.add(which);
        else this.#folded.delete(which);
        writeFolded(this.#folded);
      },
      onClear: (which) => this.#clear(which),
    });
  }

  async #clear(status) {
    const { api, confirm, toast, workspaces } = this.#context;
    const { workspace } = this.#filters;
    const where = workspace ? ` of ${workspaces.get(workspace).name}` : "";
    const sure = await confirm({
      title: `Clear ${status} processes?`,
      text: `${count(this.#counts[status])} ${status} processes${where} and their output are deleted for good.`,
      action: "Delete them",
      danger: true,
    });
    if (!sure) return;
    try {
      const removed = await api.clear([status], workspace);
      toast(removed === 1 ? "1 process was deleted" : `${count(removed)} processes were deleted`);
    } catch (error) {
      toast(error.message);
    }
  }

  async #copy(line) {
    try {
      await navigator.clipboard.writeText(line);
      this.#context.toast("Copied");
    } catch {
      this.#context.toast("The browser doesn't allow copying here.");
    }
  }
}

/** What the API tells of a process, as a row. */
function toRow(process) {
  const { id, promptPreview, status, type, startTime, endTime, error, parentProcessId, exitCode } = process;
  const workspaceId = process.metadata?.workspaceId;
  return { id, promptPreview, status, type, startTime, endTime, error, parentProcessId, exitCode, workspaceId };
}

function readFolded() {
  try {
    return new Set(JSON.parse(localStorage.getItem(FOLDED) ?? "[]"));
  } catch {
    return new Set();
  }
}

function writeFolded(folded) {
  try {
    localStorage.setItem(FOLDED, JSON.stringify([...folded]));
  } catch {
    // Storage can be forbidden.
  }
}
