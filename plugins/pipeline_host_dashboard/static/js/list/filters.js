/** What the list is narrowed to, and the address that says so. Pure. */

/** The groups, in the order in which they are shown. */
export const STATUSES = ["running", "queued", "completed", "failed", "cancelled"];

export const TERMINAL = new Set(["completed", "failed", "cancelled"]);

/**
 * @typedef {{statuses: string[], type: string, workspace: string, q: string}} Filters
 * Everything where a field is empty.
 */

/** @returns {Filters} */
export function fromQuery(query) {
  const given = new Set((query.get("status") ?? "").split(","));
  return {
    statuses: STATUSES.filter((status) => given.has(status)),
    type: query.get("type") ?? "",
    workspace: query.get("workspace") ?? "",
    q: query.get("q") ?? "",
  };
}

/** The query of the address; without what isn't narrowed. */
export function toQuery(filters) {
  const query = new URLSearchParams();
  if (filters.workspace) query.set("workspace", filters.workspace);
  if (filters.statuses.length > 0) query.set("status", filters.statuses.join(","));
  if (filters.type) query.set("type", filters.type);
  if (filters.q) query.set("q", filters.q);
  return query;
}

/** The groups that can have rows. */
export function shownStatuses(filters) {
  return filters.statuses.length > 0 ? filters.statuses : STATUSES;
}

/**
 * Whether rows are shown one by one, not under those that they belong to: somebody who looks for
 * something finds it wherever it is.
 */
export function isFlat({ statuses, type, q }) {
  return statuses.length > 0 || type !== "" || q.trim() !== "";
}

/** Whether anything but the workspace is narrowed. */
export const isNarrowed = isFlat;

/** What the server is asked for. */
export function toRequest({ workspace, type, q }) {
  return { workspace, type, q: q.trim() };
}

/**
 * Whether a row matches; a search in prompts can't be told from a row, so that `undefined` means
 * that only the server knows.
 */
export function matches({ statuses, type, workspace, q }, row) {
  if (workspace && row.workspaceId !== workspace) return false;
  if (statuses.length > 0 && !statuses.includes(row.status)) return false;
  if (type && row.type !== type) return false;
  const text = q.trim().toLowerCase();
  if (!text || row.found === q.trim()) return true;
  if (`${row.id}\n${row.promptPreview}`.toLowerCase().includes(text)) return true;
  return undefined;
}
