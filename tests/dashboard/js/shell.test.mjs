// What the page does when the server comes back as another one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../../plugins/pipeline_host_dashboard/static/js/api.js";
import { setProp } from "../../../plugins/pipeline_host_dashboard/static/js/dom.js";
import { watchServer } from "../../../plugins/pipeline_host_dashboard/static/js/shell.js";

function watched(answers) {
  const told = [];
  const listeners = [];
  const live = {
    state: "online",
    on: (event, listener) => listeners.push(listener),
    forget: () => told.push("forget"),
    expectHeartbeats() {},
  };
  const api = {
    about: async () => {
      const answer = answers.shift();
      if (answer === null) throw new ApiError(0, "unreachable");
      return answer;
    },
  };
  watchServer(live, api, () => told.push("new page"));
  const connect = async () => {
    for (const listener of listeners) listener(live.state);
    await new Promise(setImmediate);
  };
  return { live, told, connect };
}

test("a server that is still the same changes nothing", async () => {
  const { told, connect } = watched([
    { build: "a", epoch: "1" },
    { build: "a", epoch: "1" },
  ]);
  await connect();
  await connect();
  assert.deepEqual(told, []);
});

test("other data are read anew, and another page is offered", async () => {
  const { told, connect } = watched([
    { build: "a", epoch: "1" },
    null,
    { build: "a", epoch: "2" },
    { build: "b", epoch: "2" },
  ]);
  await connect();
  await connect();
  assert.deepEqual(told, []);
  await connect();
  assert.deepEqual(told, ["forget"]);
  await connect();
  assert.deepEqual(told, ["forget", "new page"]);
});

test("nobody is asked while the page is offline", async () => {
  const { live, told, connect } = watched([]);
  live.state = "offline";
  await connect();
  assert.deepEqual(told, []);
});

test("no attribute runs a script", () => {
  const set = {};
  const element = { setAttribute: (name, value) => (set[name] = value), removeAttribute() {} };
  for (const url of ["javascript:x", " JaVa\tScript:x", "\u0001data:text/html,x", "vbscript\n:x"]) {
    setProp(element, "href", url);
  }
  assert.deepEqual(set, {});
  setProp(element, "href", "/process/javascript:x");
  assert.deepEqual(set, { href: "/process/javascript:x" });
  for (const name of ["onclick", "ONERROR", "srcdoc"]) {
    assert.throws(() => setProp(element, name, "x"), TypeError);
  }
});
