// Reads that must succeed: when they are tried again, and that none runs beside another.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { ApiError } from "../../../plugins/pipeline_host_dashboard/static/js/api.js";
import { Asked, batches } from "../../../plugins/pipeline_host_dashboard/static/js/list/asked.js";
import { Owed } from "../../../plugins/pipeline_host_dashboard/static/js/owed.js";

let answers;
let signals;
let failures;
let tell;
let owed;
let now;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 1);
  now = 0;
  mock.method(performance, "now", () => now);
  answers = [];
  signals = [];
  failures = [];
  const live = { on: (event, listener) => ((tell = listener), () => (tell = () => {})) };
  const read = (signal) => {
    signals.push(signal);
    return answers.shift() ?? Promise.resolve();
  };
  owed = new Owed(live, read, (error) => failures.push(error.message));
});

afterEach(() => {
  owed.close();
  mock.timers.reset();
  mock.restoreAll();
});

const settled = async () => {
  for (let n = 0; n < 10; n += 1) await Promise.resolve();
};
const failing = (status) => Promise.reject(new ApiError(status, `status ${status}`));
const after = async (milliseconds) => {
  now += milliseconds;
  mock.timers.tick(milliseconds);
  await settled();
};

function held() {
  let finish;
  const promise = new Promise((done) => (finish = done));
  answers.push(promise);
  return finish;
}

test("what failed is read again after 1 s, 2 s, 4 s … 30 s, and complained of once", async () => {
  answers = [0, 503, 500, 429, 408, 200, 0].map(failing);
  for (const answer of answers) answer.catch(() => {});
  await owed.now();
  const pauses = [];
  for (let n = 2; n <= 8; n += 1) {
    const begin = now;
    while (signals.length < n) await after(500);
    pauses.push(now - begin);
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.deepEqual(failures, ["status 0"]);
  await after(100000);
  assert.equal(signals.length, 8);
});

test("news don't hasten what waits for another try, but a connection does", async () => {
  answers = [failing(0), failing(0)];
  await owed.now();
  owed.soon();
  await after(900);
  assert.equal(signals.length, 1);
  tell("online");
  await settled();
  assert.equal(signals.length, 2);
  await after(1000);
  assert.equal(signals.length, 3);
  tell("online");
  assert.equal(signals.length, 3);
});

test("what is being read when the connection comes back is read anew", async () => {
  held();
  owed.now();
  tell("offline");
  tell("online");
  await settled();
  assert.deepEqual([signals.length, signals[0].aborted], [2, true]);
});

test("an answer that another try can't change is told and not asked for again", async () => {
  answers = [failing(400)];
  await owed.now();
  await after(100000);
  assert.deepEqual([signals.length, failures], [1, ["status 400"]]);
  owed.soon();
  await after(200);
  assert.equal(signals.length, 2);
});

test("many news are one read, and the longer one takes the longer the next one waits", async () => {
  const finish = held();
  for (let n = 0; n < 5; n += 1) owed.soon();
  await after(200);
  assert.equal(signals.length, 1);
  owed.soon();
  await after(500);
  finish();
  await settled();
  await after(1999);
  assert.equal(signals.length, 1);
  await after(1);
  assert.equal(signals.length, 2);
  await after(100000);
  assert.equal(signals.length, 2);
});

test("after it was closed nothing is read", async () => {
  answers = [failing(0)];
  await owed.now();
  owed.close();
  owed.soon();
  await after(100000);
  assert.equal(signals.length, 1);
});

test("a mistake of the page's own is no failure to be tried again", async () => {
  answers = [Promise.reject(new TypeError("no such property"))];
  await assert.rejects(owed.now(), TypeError);
  await after(100000);
  assert.equal(signals.length, 1);
});

test("what was asked for and not answered is asked for with what came since", () => {
  const [before, since] = [new Asked(), new Asked()];
  before.rows.add("a");
  before.all = { isUpdate: false };
  since.rows.add("b");
  assert.deepEqual([...since.with(before).rows], ["a", "b"]);
  assert.deepEqual(since.with(before).all, { isUpdate: false });
  assert.deepEqual(batches(new Set(["a", "b", "c"]), 2, 100), [["a", "b"], ["c"]]);
  assert.deepEqual(batches([], 2, 100), []);
  const [long, longer] = ["x".repeat(40), "€".repeat(40)];
  assert.deepEqual(batches([long, long, long, longer, "a"], 9, 100), [
    [long, long],
    [long],
    [longer],
    ["a"],
  ]);
});
