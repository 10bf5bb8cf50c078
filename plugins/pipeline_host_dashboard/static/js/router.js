/** Which view is shown: the page's address and back. */

const listeners = new Set();
let told = null;

/** The address of the list, a process (`processHref`) or the timeline, as links have it. */
export function href(path) {
  return path;
}

/** The address of a process's page. */
export function processHref(id) {
  // Browsers resolve these two in paths, however they are encoded.
  if (id === "." || id === "..") return `/process?id=${id}`;
  return `/process/${encodeURIComponent(id)}`;
}

/**
 * What the address says.
 *
 * @returns {{name: "list" | "process" | "timeline" | "unknown", params: object,
 *   query: URLSearchParams, hash: string}}
 */
export function current() {
  return parse(location);
}

/** The route of an address; pure. */
export function parse({ pathname, search, hash }) {
  const query = new URLSearchParams(search);
  const route = (name, params = {}) => ({ name, params, query, hash });
  if (pathname === "/") return route("list");
  if (pathname === "/timeline") return route("timeline");
  if (pathname === "/process" && query.get("id")) return route("process", { id: query.get("id") });
  const match = /^\/process\/([^/]+)$/.exec(pathname);
  if (!match) return route("unknown");
  try {
    return route("process", { id: decodeURIComponent(match[1]) });
  } catch {
    return route("unknown");
  }
}

/** Goes to an address of this page; with `replace` the one before is forgotten. */
export function navigate(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  tell();
}

/** Changes the query of the address without going anywhere. */
export function setQuery(query) {
  const text = query.toString();
  history.replaceState(null, "", `${location.pathname}${text && `?${text}`}${location.hash}`);
  told = location.pathname + location.search;
}

/** Calls `listener` with each new route; returns how to stop that. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Makes links and the browser's buttons change the view instead of loading the page anew. */
export function start() {
  told = location.pathname + location.search;
  addEventListener("popstate", tell);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest("a[href]");
    if (!link || !isPlain(event) || !isInternal(link)) return;
    event.preventDefault();
    navigate(link.pathname + link.search + link.hash);
  });
}

/** Tells of another address; what only has another fragment is the same view, which sees to it. */
function tell() {
  const address = location.pathname + location.search;
  if (address === told) return;
  told = address;
  const route = current();
  for (const listener of listeners) listener(route);
}

function isPlain(event) {
  const { button, ctrlKey, metaKey, shiftKey, altKey, defaultPrevented } = event;
  return button === 0 && !(ctrlKey || metaKey || shiftKey || altKey || defaultPrevented);
}

function isInternal(link) {
  if (link.origin !== location.origin || link.target || link.hasAttribute("download")) return false;
  if (link.pathname === location.pathname && link.search === location.search && link.hash) {
    return false; // the browser scrolls
  }
  return parse(link).name !== "unknown";
}
