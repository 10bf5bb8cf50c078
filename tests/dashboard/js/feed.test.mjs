// What the list reads and keeps while processes come and go; the server is pretended.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { ApiError } from "../../../plugins/pipeline_host_dashboard/static/js/api.js";
import { Feed } from "../../../plugins/pipeline_host_dashboard/static/js/list/feed.js";
import { STATUSES } from "../../../plugins/pipeline_host_dashboard/static/js/list/filters.js";

const ALL = { statuses: [], type: "", workspace: "", q: "" };

let processes;
let asked;
let broken;
let listeners;
let feed;
let seen;
let errors;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  processes = [];
  asked = [];
  broken = null;
  listeners = { change: new Set(), resync: new Set(), state: new Set() };
  seen = {};
  errors = [];
});

afterEach(() => {
  feed.close();
  mock.timers.reset();
});

function answer(name, query, make) {
  asked.push({ name, ...query });
  return broken ? Promise.reject(new ApiError(broken, "busy")) : Promise.resolve(make());
}

const api = {
  counts: (query) => answer("counts", query, () => Object.fromEntries(STATUSES.map((s) => [s, 0]))),
  rowsOf: (ids, query) =>
    answer("rowsOf", { ids, ...query }, () =>
      processes.filter(({ id, prompt }) => ids.includes(id) && (!query.q || prompt === query.q)),
    ),
  rows: (query) =>
    answer("rows", query, () => {
      const of = (one) => (query.parent ? one.parentProcessId === query.parent : !one.parentProcessId);
      const all = processes.filter((one) => of(one) && (!query.status || one.status === query.status));
      if (!query.parent) all.reverse();
      const from = Number(query.cursor ?? 0);
      const page = all.slice(from, from + query.limit);
      const next = from + page.length;
      return {
        processes: page,
        reached: page.at(-1)?.startTime,
        nextCursor: next < all.length ? String(next) : undefined,
      };
    }),
};

const settled = async () => {
  for (let n = 0; n < 200; n += 1) await Promise.resolve();
};
const after = async (milliseconds) => {
  mock.timers.tick(milliseconds);
  await settled();
};

function process(number, more = {}) {
  const startTime = new Date(Date.UTC(2026, 10, 22) + 1000 * number).toISOString();
  return { id: `p${number}`, promptPreview: "-", status: "running", type: "t", startTime, ...more };
}

function add(one) {
  processes.push(one);
  for (const listener of listeners.change) listener({ type: "process-added", process: one });
}

async function open(filters = ALL) {
  const live = {
    on: (event, listener) => {
      listeners[event].add(listener);
      return () => listeners[event].delete(listener);
    },
  };
  feed = new Feed(filters, { api, live }, {
    onChange() {},
    onLoaded() {},
    onFailure: (error) => errors.push(error.message),
    onError: (error) => errors.push(error.message),
    seen: () => seen,
  });
  await feed.load();
}

async function readOn(count) {
  while (feed.model.pager("running").count < count) {
    feed.more("running");
    await settled();
  }
}

test("whatever reads all anew reads as far down as before, however often it fails", async () => {
  for (let n = 0; n < 900; n += 1) processes.push(process(n));
  await open();
  await readOn(800);
  broken = 503;
  for (const listener of listeners.resync) listener();
  await settled();
  assert.equal(feed.depth.running, 800);
  processes.pop();
  broken = null;
  await after(1000);
  assert.equal(feed.model.rows.has("p899"), false);
  assert.equal(feed.depth.running, 800);
  assert.deepEqual(errors, ["busy"]);
});

test("what is told while all is read is asked for afterwards, as the answer may be older", async () => {
  processes.push(process(1));
  await open();
  const loading = feed.load();
  for (const listener of listeners.change)
    listener({ type: "process-updated", process: process(1, { status: "failed" }) });
  await loading;
  asked = [];
  processes = [process(1, { status: "failed", exitCode: 3 })];
  await after(200);
  assert.deepEqual(asked.map(({ name }) => name), ["rowsOf", "counts"]);
  assert.equal(feed.model.rows.get("p1").exitCode, 3);
});

test("what is always refused takes nothing along that is asked for later", async () => {
  await open();
  broken = 414;
  add(process(1, { parentProcessId: "far away" }));
  await after(200);
  assert.deepEqual(errors, ["busy"]);
  assert.deepEqual(feed.model.groups(["running"]).get("running").map(({ id }) => id), ["p1"]);
  broken = null;
  asked = [];
  add(process(2));
  await after(20000);
  assert.deepEqual(asked.filter(({ ids }) => ids?.length), []);
  assert.notEqual(feed.counts, null);
  assert.deepEqual(asked.filter(({ name }) => name === "counts").length, 1);
});

test("rows with long ids are asked for in addresses that a server takes", async () => {
  await open();
  asked = [];
  const name = (n) => "é".repeat(190) + n;
  for (let n = 0; n < 60; n += 1) add(process(n, { parentProcessId: name(n) }));
  await after(200);
  const rows = asked.filter(({ name }) => name === "rowsOf");
  const sizes = rows.map(({ ids }) => new URLSearchParams(ids.map((id) => ["id", id])).toString().length);
  assert.ok(Math.max(...sizes) < 7000);
  assert.deepEqual(
    rows.flatMap(({ ids }) => ids),
    Array.from({ length: 60 }, (_, n) => name(n)),
  );
});

test("a page and parts that could not be read are read later, and not asked for meanwhile", async () => {
  for (let n = 0; n < 60; n += 1) processes.push(process(n));
  processes.push(process(100, { parentProcessId: "p59" }));
  await open();
  broken = 503;
  feed.more("running");
  feed.toggle("p59", true);
  await settled();
  const before = asked.length;
  feed.more("running");
  feed.moreParts("p59");
  assert.equal(asked.length, before);
  await after(200);
  broken = null;
  await after(1000);
  assert.equal(feed.depth.running, 60);
  assert.deepEqual(
    feed.model.children("p59").map(({ id }) => id),
    ["p100"],
  );
});

test("while one searches, the server is asked once for each that may match", async () => {
  await open({ ...ALL, q: "needle" });
  asked = [];
  for (let n = 0; n < 250; n += 1) add(process(n, { prompt: n === 7 ? "needle" : "hay" }));
  await after(200);
  const ids = asked.filter(({ name }) => name === "rowsOf").map((one) => one.ids.length);
  assert.deepEqual(ids, [100, 100, 50]);
  assert.deepEqual([...feed.model.rows.keys()], ["p7"]);
  assert.equal(asked.filter(({ name }) => name === "rows").length, 0);
  asked = [];
  const [one] = processes;
  for (const listener of listeners.change) listener({ type: "process-updated", process: one });
  await after(20000);
  assert.deepEqual(
    asked.map(({ name }) => name),
    ["counts"],
  );
});

test("a list that is left open keeps what one may look at, not all that ever came", async () => {
  await open();
  seen = { running: 100 };
  for (let n = 0; n < 1200; n += 1) add(process(n));
  for (let n = 0; n < 10; n += 1) await after(20000);
  assert.equal(feed.depth.running, 100);
  assert.equal(feed.model.rows.size, 100);
  assert.equal(feed.model.pager("running").done, false);
  await readOn(1200);
  assert.equal(feed.depth.running, 1200);
});

test("what is older than all that was read, or belongs to a folded row, is not kept", async () => {
  for (let n = 1000; n < 1100; n += 1) processes.push(process(n));
  await open();
  assert.equal(feed.model.rows.size, 50);
  add(process(1));
  add(process(2000, { parentProcessId: "p1099" }));
  assert.equal(feed.isExpandable(feed.model.rows.get("p1099")), true);
  await after(20000);
  assert.equal(feed.model.rows.size, 50);
});
