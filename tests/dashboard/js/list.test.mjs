// What the list is narrowed to, which rows are shown where, and what formats say.

import assert from "node:assert/strict";
import { test } from "node:test";

import { visible } from "../../../plugins/pipeline_host_dashboard/static/js/dom.js";
import * as format from "../../../plugins/pipeline_host_dashboard/static/js/format.js";
import * as filters from "../../../plugins/pipeline_host_dashboard/static/js/list/filters.js";
import { Model } from "../../../plugins/pipeline_host_dashboard/static/js/list/model.js";
import { windowOf } from "../../../plugins/pipeline_host_dashboard/static/js/list/window.js";
import * as router from "../../../plugins/pipeline_host_dashboard/static/js/router.js";

const ALL = { statuses: [], type: "", workspace: "", q: "" };

function row(id, more = {}) {
  return {
    id,
    promptPreview: `preview of ${id}`,
    status: "running",
    type: "t",
    startTime: "2026-11-22T07:00:00.000Z",
    ...more,
  };
}

function model(rows, narrowed = {}) {
  const made = new Model({ ...ALL, ...narrowed });
  for (const status of filters.STATUSES)
    made.pager(status).take({ processes: [], reached: "2026", nextCursor: "c" });
  for (const one of rows) {
    made.put(one);
    made.parts(one.id).take({ processes: [], nextCursor: undefined });
  }
  return made;
}

function shown(made) {
  return [...made.groups(filters.STATUSES)].flatMap(([status, group]) =>
    group.map(({ id }) => `${status} ${id}`),
  );
}

test("filters come back from the address as they went into it", () => {
  const narrowed = { statuses: ["queued", "failed"], type: "a b", workspace: "&=", q: " x+y " };
  assert.deepEqual(
    filters.fromQuery(new URLSearchParams(filters.toQuery(narrowed).toString())),
    narrowed,
  );
  assert.equal(filters.toQuery(ALL).toString(), "");
  assert.deepEqual(
    filters.fromQuery(new URLSearchParams("status=failed,nonsense,failed")).statuses,
    ["failed"],
  );
});

test("a row matches by what it says, and only the server knows prompts", () => {
  const one = row("x", { workspaceId: "w" });
  assert.equal(filters.matches(ALL, one), true);
  assert.equal(filters.matches({ ...ALL, workspace: "v" }, one), false);
  assert.equal(filters.matches({ ...ALL, statuses: ["failed"] }, one), false);
  assert.equal(filters.matches({ ...ALL, type: "u" }, one), false);
  assert.equal(filters.matches({ ...ALL, q: "PREVIEW" }, one), true);
  assert.equal(filters.matches({ ...ALL, q: "other" }, one), undefined);
  assert.equal(filters.matches({ ...ALL, q: "other " }, { ...one, found: "other" }), true);
});

test("the newest is first, and of two at one time the one with the greater id", () => {
  const made = model([row("a"), row("c", { startTime: "2026-11-22T08:00:00.000Z" }), row("b")]);
  assert.deepEqual(shown(made), ["running c", "running b", "running a"]);
});

test("what belongs to a row that is listed stands under it, oldest first", () => {
  const made = model([
    row("part-2", {
      parentProcessId: "p",
      startTime: "2026-11-22T07:02:00.000Z",
      status: "failed",
    }),
    row("part-1", { parentProcessId: "p", startTime: "2026-11-22T07:01:00.000Z" }),
    row("p"),
  ]);
  assert.deepEqual(shown(made), ["running p"]);
  assert.deepEqual(
    made.children("p").map(({ id }) => id),
    ["part-1", "part-2"],
  );
});

test("nothing is shown twice or lost where the parent is unknown, missing or a descendant", () => {
  const made = model([row("child", { parentProcessId: "p" })]);
  assert.equal(made.wantsParent(made.rows.get("child")), true);
  assert.deepEqual(shown(made), []);
  made.miss(["p"]);
  assert.deepEqual(shown(made), ["running child"]);
  made.put(row("p", { parentProcessId: "child" }));
  assert.deepEqual(shown(made).sort(), ["running child", "running p"]);
  assert.deepEqual(made.children("p"), []);
  made.put(row("self", { parentProcessId: "self" }));
  assert.ok(shown(made).includes("running self"));
});

test("whoever narrows the list sees each match for itself", () => {
  const made = model([row("p"), row("part", { parentProcessId: "p", status: "failed" })], {
    statuses: ["failed"],
  });
  assert.deepEqual(shown(made), ["failed part"]);
});

test("what is older than the pages that were read waits for its page", () => {
  const made = model([row("old", { startTime: "2025-01-01T00:00:00.000Z" })]);
  assert.deepEqual(shown(made), []);
  made.pager("running").take({ processes: [], reached: "2024", nextCursor: undefined });
  assert.deepEqual(shown(made), ["running old"]);
});

test("of what belongs to a row, that waits for its page which is newer than what was read", () => {
  const at = (minute) => ({ parentProcessId: "p", startTime: `2026-11-22T07:${minute}:00.000Z` });
  const made = model([row("p")]);
  made.fold("p");
  for (const minute of [10, 20, 30]) made.put(row(`part-${minute}`, at(minute)));
  assert.deepEqual(made.children("p"), []);
  made.parts("p").take({ processes: [1, 2], reached: at(20).startTime, nextCursor: "c" });
  assert.deepEqual(
    made.children("p").map(({ id }) => id),
    ["part-10", "part-20"],
  );
  made.parts("p").take({ processes: [3], reached: at(30).startTime, nextCursor: undefined });
  assert.equal(made.children("p").length, 3);
});

test("rows that no group and no expanded row shows are forgotten, and those they hang on are not", () => {
  const old = { startTime: "2025-01-01T00:00:00.000Z" };
  const made = model([
    row("shown"),
    row("old", old),
    row("part", { parentProcessId: "shown" }),
    row("old-parent", old),
    row("part-of-old", { parentProcessId: "old-parent" }),
    row("waits", { parentProcessId: "not-known-yet" }),
    row("a", { parentProcessId: "b", ...old }),
    row("b", { parentProcessId: "a" }),
  ]);
  assert.deepEqual([...made.prune(new Set(["shown"]))], [["running", 2]]);
  assert.deepEqual([...made.rows.keys()].sort(), ["a", "b", "part", "shown", "waits"]);
  assert.deepEqual(shown(made), ["running shown", "running b"]);
  made.prune(new Set());
  assert.equal(made.rows.has("part"), false);
  assert.equal(made.hasChildren("shown"), false);
});

test("while one searches, what doesn't match is forgotten", () => {
  const made = model([row("hit", { found: "x" }), row("miss")], { q: "x" });
  made.prune(new Set());
  assert.deepEqual([...made.rows.keys()], ["hit"]);
});

test("a message leaves what it doesn't tell, and clears what is no more", () => {
  const made = model([row("p", { exitCode: 3, children: { queued: 1 }, error: "e" })]);
  made.put(row("p", { status: "completed" }));
  const { exitCode, children, error, status } = made.rows.get("p");
  assert.deepEqual([exitCode, children, error, status], [3, { queued: 1 }, undefined, "completed"]);
});

test("a part that changes its parent moves there", () => {
  const made = model([row("p"), row("q"), row("part", { parentProcessId: "p" })]);
  made.put(row("part", { parentProcessId: "q" }));
  assert.deepEqual([made.children("p").length, made.children("q").length], [0, 1]);
  made.remove("q");
  made.miss(["q"]);
  assert.deepEqual(shown(made).sort(), ["running p", "running part"]);
});

test("of a long list only what is seen, and some around it, is in the page", () => {
  const place = { count: 1000, height: 10, seen: 100, around: 2 };
  assert.deepEqual(windowOf({ ...place, top: 0 }), { first: 0, last: 12 });
  assert.deepEqual(windowOf({ ...place, top: -505 }), { first: 48, last: 63 });
  assert.deepEqual(windowOf({ ...place, top: -99999 }), { first: 1000, last: 1000 });
  assert.deepEqual(windowOf({ ...place, top: 5000 }), { first: 0, last: 0 });
});

test("any id has an address, and the address leads back to it", () => {
  for (const id of [
    "a",
    "a/b",
    "..",
    ".",
    "%2e%2e",
    "../x",
    "?q#h",
    "<img onerror=1>",
    "日本",
    " ",
    "\u202e",
  ]) {
    const url = new URL(router.processHref(id), "http://h/");
    assert.deepEqual(router.parse(url).params, { id }, id);
  }
});

test("an address that isn't one of ours leads nowhere", () => {
  for (const path of ["/process/", "/process/a/b", "/process/%ff", "/other", "/process?id="]) {
    assert.equal(router.parse(new URL(path, "http://h/")).name, "unknown", path);
  }
  assert.equal(router.parse(new URL("/?q=1#x", "http://h/")).name, "list");
  assert.equal(router.parse(new URL("/timeline", "http://h/")).name, "timeline");
});

test("time spans are as the server says them", () => {
  const cases = {
    0: "< 1s",
    999: "< 1s",
    1000: "1s",
    59999: "59s",
    60000: "1m 0s",
    154000: "2m 34s",
    3900000: "1h 5m",
    86400000: "24h 0m",
    273600000: "3d 4h",
  };
  for (const [ms, words] of Object.entries(cases)) assert.equal(format.duration(Number(ms)), words);
  assert.equal(format.duration(-5), "< 1s");
});

test("sizes have a unit that fits", () => {
  const cases = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [3449, "3.4 kB"],
    [12345, "12 kB"],
    [999600, "1.0 MB"],
    [5e12, "5.0 TB"],
    [5e15, "5000 TB"],
  ];
  for (const [bytes, words] of cases) assert.equal(format.bytes(bytes), words);
});

test("control characters and overrides of direction can be seen and do nothing", () => {
  assert.equal(visible("a\u202eb\u001b[31m\u0000\u007f\u2067"), "a‹U+202E›b␛[31m␀␡‹U+2067›");
  assert.equal(visible("tab\tline\nreturn\r\n"), "tab\tline\nreturn\n");
  assert.equal(visible("👩\u200d💻 é 日本 עברית"), "👩\u200d💻 é 日本 עברית");
  assert.equal(visible(null), "");
});
