/** The HTTP API, as any client may use it. */

/** A request that didn't succeed: `status` is HTTP's, or 0 where there was no answer. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/**
 * @param {object} query any of workspace, status, type, since, parent, q, order, limit, cursor
 * @returns {Promise<{processes: object[], total: number, nextCursor?: string}>}
 */
export function list(query, { signal } = {}) {
  return request("GET", `/api/processes${search(query)}`, { signal });
}

/**
 * Processes as rows of a list, newest first: in short, and how many belong to each.
 *
 * @param {object} query any of workspace, status, type, q, parent, top, limit, cursor
 * @returns {Promise<{processes: object[], total: number, reached?: string, nextCursor?: string}>}
 */
export function rows(query, { signal } = {}) {
  return request("GET", `/api/dashboard/processes${search(query)}`, { signal });
}

/** The rows of these processes, as far as there are such, and they have the text `q`. */
export async function rowsOf(ids, { q } = {}, { signal } = {}) {
  const query = new URLSearchParams(ids.map((id) => ["id", id]));
  if (q) query.set("q", q);
  return (await request("GET", `/api/dashboard/processes?${query}`, { signal })).processes;
}

/** How many processes match, by status. */
export function counts(query, { signal } = {}) {
  return request("GET", `/api/dashboard/counts${search(query)}`, { signal });
}

/** Which data and which version of the page the server has. */
export function about({ signal } = {}) {
  return request("GET", "/api/dashboard/about", { signal });
}

/** One process with all its texts. */
export async function get(id, { signal } = {}) {
  if (isDots(id)) return find(id, signal);
  return (await request("GET", item(id), { signal })).process;
}

/** Asks that a process be stopped; returns it as it is then. */
export async function cancel(id) {
  return (await request("POST", `${item(id)}/cancel`)).process;
}

/** Forgets a process and its output. One that is gone already is fine. */
export async function remove(id) {
  try {
    await request("DELETE", item(id));
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

/** Forgets all processes of some statuses, in one workspace or in all; returns how many. */
export async function clear(statuses, workspace) {
  const query = search({ status: statuses.join(","), workspace });
  return (await request("DELETE", `/api/processes${query}`)).removed;
}

export function stats({ signal } = {}) {
  return request("GET", "/api/stats", { signal });
}

export async function workspaces({ signal } = {}) {
  return (await request("GET", "/api/workspaces", { signal })).workspaces;
}

/**
 * Processes in short, newest first, with when each began to run.
 *
 * @param {object} query workspace, cursor
 * @returns {Promise<{processes: object[], nextCursor?: string, seq: number}>}
 */
export function timeline(query, { signal } = {}) {
  return request("GET", `/api/dashboard/timeline${search(query)}`, { signal });
}

/**
 * A process's result as HTML that the server made harmless.
 *
 * @returns {Promise<{result?: string, plain?: string}>} `plain` says why the text is not rendered
 */
export async function rendered(id, { signal } = {}) {
  return request("GET", `/api/dashboard/processes/${segment(id)}/rendered`, { signal });
}

/** Where a process's output is to be had as text. */
export function outputUrl(id) {
  return `${item(id)}/output`;
}

/** Where a process's output is to be followed, by Server-Sent Events. */
export function streamUrl(id) {
  return `${item(id)}/stream`;
}

function item(id) {
  return `/api/processes/${segment(id)}`;
}

/** Browsers resolve `.` and `..` in paths, however they are encoded: these ids can't be told. */
function segment(id) {
  if (isDots(id)) throw new ApiError(0, `A browser can't address a process whose id is “${id}”.`);
  return encodeURIComponent(id);
}

function isDots(id) {
  return id === "." || id === "..";
}

async function find(id, signal) {
  const page = await list({ q: id, limit: 1000 }, { signal });
  const process = page.processes.find((candidate) => candidate.id === id);
  if (!process) throw new ApiError(404, "Process not found");
  return process;
}

function search(query) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") params.set(name, String(value));
  }
  const text = params.toString();
  return text && `?${text}`;
}

async function request(method, url, { signal } = {}) {
  let response;
  try {
    response = await fetch(url, { method, signal, headers: { Accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server can't be reached.");
  }
  if (response.status === 204) return null;
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    throw new ApiError(response.status, body?.error ?? `The server answered ${response.status}.`);
  }
  if (body === null) throw new ApiError(response.status, "The server's answer can't be read.");
  return body;
}
