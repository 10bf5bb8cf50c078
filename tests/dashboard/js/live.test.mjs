// The page's one connection: pauses, resuming, the fallback. Everything around it is pretended.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Live } from "../../../plugins/pipeline_host_dashboard/static/js/live.js";

const UNREACHABLE = () => Promise.reject(new TypeError("no"));

class FakeSocket {
  static OPEN = 1;
  static made = [];
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = url;
    FakeSocket.made.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  welcome() {
    this.readyState = FakeSocket.OPEN;
    this.onopen();
    this.tell({ type: "welcome", timestamp: 0 });
  }

  tell(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }

  drop() {
    this.readyState = 3;
    this.onclose();
  }
}

class FakeEventSource {
  static made = [];
  closed = false;
  #listeners = {};

  constructor(url) {
    this.url = url;
    FakeEventSource.made.push(this);
  }

  addEventListener(type, listener) {
    this.#listeners[type] = listener;
  }

  tell(type, data = {}, lastEventId = "") {
    this.#listeners[type]({ data: JSON.stringify(data), lastEventId });
  }

  close() {
    this.closed = true;
  }
}

/** A clock that goes on only when it is told to. */
class Clock {
  now = 0;
  #timers = new Map();
  #last = 0;

  install() {
    mock.method(Date, "now", () => this.now);
    mock.method(globalThis, "setTimeout", (run, ms) => this.#set(run, ms, 0));
    mock.method(globalThis, "setInterval", (run, ms) => this.#set(run, ms, ms));
    mock.method(globalThis, "clearTimeout", (id) => this.#timers.delete(id));
    mock.method(globalThis, "clearInterval", (id) => this.#timers.delete(id));
  }

  tick(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers]
        .filter(([, { at }]) => at <= end)
        .sort((a, b) => a[1].at - b[1].at);
      if (due.length === 0) break;
      const [id, timer] = due[0];
      this.now = Math.max(this.now, timer.at);
      if (timer.every) timer.at += timer.every;
      else this.#timers.delete(id);
      timer.run();
    }
    this.now = end;
  }

  /** Lets time go by in which nothing runs; then all runs that was due. */
  sleep(ms) {
    this.now += ms;
    this.tick(0);
  }

  #set(run, ms, every) {
    this.#last += 1;
    this.#timers.set(this.#last, { run, at: this.now + ms, every });
    return this.#last;
  }
}

const settled = async () => {
  for (let n = 0; n < 20; n += 1) await Promise.resolve();
};
const last = (list) => list.at(-1);

let clock;
let live;
let changes;
let resyncs;

beforeEach(() => {
  FakeSocket.made = [];
  FakeEventSource.made = [];
  changes = [];
  resyncs = 0;
  globalThis.location = { protocol: "http:", host: "h" };
  globalThis.document = { addEventListener() {}, visibilityState: "visible" };
  globalThis.addEventListener = () => {};
  globalThis.WebSocket = FakeSocket;
  globalThis.EventSource = FakeEventSource;
  globalThis.fetch = UNREACHABLE;
  clock = new Clock();
  clock.install();
  live = new Live();
  live.on("change", (message) => changes.push(message.seq));
  live.on("resync", () => (resyncs += 1));
});

afterEach(() => {
  mock.restoreAll();
});

async function online() {
  live.start();
  last(FakeSocket.made).welcome();
  await settled();
}

async function reconnected() {
  last(FakeSocket.made).drop();
  await settled();
  clock.tick(1000);
  last(FakeSocket.made).welcome();
}

test("pauses double from a second to half a minute, with jitter, and begin anew after success", async () => {
  const pauses = [];
  mock.method(Math, "random", () => 1);
  live.start();
  for (let n = 0; n < 8; n += 1) {
    last(FakeSocket.made).drop();
    await settled();
    pauses.push(live.retryAt - Date.now());
    clock.tick(pauses.at(-1));
  }
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  last(FakeSocket.made).welcome();
  mock.method(Math, "random", () => 0);
  last(FakeSocket.made).drop();
  await settled();
  assert.equal(live.retryAt - Date.now(), 500);
});

test("it is connecting, online, offline, and online again", async () => {
  const states = [live.state];
  live.on("state", (state) => states.push(state));
  await online();
  await reconnected();
  assert.deepEqual([...new Set(states)], ["connecting", "online", "offline"]);
  assert.equal(live.state, "online");
});

test("after a lost connection it goes on behind the last change", async () => {
  await online();
  assert.deepEqual(last(FakeSocket.made).sent, [{ type: "subscribe" }]);
  last(FakeSocket.made).tell({ type: "process-removed", seq: 7 });
  await reconnected();
  assert.deepEqual(last(FakeSocket.made).sent, [{ type: "subscribe", since: 7 }]);
  assert.deepEqual([changes, resyncs], [[7], 0]);
});

test("where nothing was told before the connection was lost, what is shown is read anew", async () => {
  live.start();
  const ready = live.ready(1000);
  last(FakeSocket.made).welcome();
  await ready;
  assert.equal(resyncs, 0);
  await reconnected();
  assert.equal(resyncs, 1);
});

test("what a page shows before it is connected is read anew when it is", async () => {
  live.start();
  const ready = live.ready(1000);
  clock.tick(1000);
  await ready;
  last(FakeSocket.made).welcome();
  assert.equal(resyncs, 1);
});

test("a server that forgot the changes has all read anew", async () => {
  await online();
  last(FakeSocket.made).tell({ type: "resync" });
  assert.equal(resyncs, 1);
});

test("a process is followed on behind the last cursor", async () => {
  await online();
  const seen = [];
  live.follow("p", { times: true, onChunk: ({ content }) => seen.push(content) });
  last(FakeSocket.made).tell({ type: "chunk", processId: "p", content: "a", cursor: "c1" });
  await reconnected();
  const sent = last(FakeSocket.made).sent.filter(({ type }) => type === "follow");
  assert.deepEqual(sent, [{ type: "follow", processId: "p", after: "c1", times: true }]);
  last(FakeSocket.made).tell({ type: "chunk", processId: "p", content: "b", cursor: "c2" });
  assert.deepEqual(seen, ["a", "b"]);
});

test("what ended isn't followed again", async () => {
  await online();
  const ends = [];
  live.follow("p", { onChunk() {}, onDone: ({ status }) => ends.push(status) });
  last(FakeSocket.made).tell({ type: "done", processId: "p", status: "completed", cursor: "c" });
  await reconnected();
  assert.deepEqual(
    last(FakeSocket.made).sent.filter(({ type }) => type === "follow"),
    [],
  );
  assert.deepEqual(ends, ["completed"]);
});

test("a new follower doesn't get what was on its way to the one before", async () => {
  await online();
  const socket = last(FakeSocket.made);
  const [first, second] = [[], []];
  live.follow("p", { onChunk: ({ content }) => first.push(content) });
  live.follow("p", { onChunk: ({ content }) => second.push(content) });
  socket.tell({ type: "chunk", processId: "p", content: "late", cursor: "c1" });
  assert.deepEqual(
    socket.sent.map(({ type }) => type),
    ["subscribe", "follow", "unfollow", "ping"],
  );
  socket.tell({ type: "pong" });
  assert.equal(last(socket.sent).type, "follow");
  socket.tell({ type: "chunk", processId: "p", content: "a", cursor: "c1" });
  assert.deepEqual([first, second], [[], ["a"]]);
});

test("a follower that was closed is told nothing more", async () => {
  await online();
  const seen = [];
  const follower = live.follow("p", { onChunk: ({ content }) => seen.push(content) });
  follower.close();
  follower.close();
  last(FakeSocket.made).tell({ type: "pong" });
  last(FakeSocket.made).tell({ type: "chunk", processId: "p", content: "x", cursor: "c" });
  assert.deepEqual(seen, []);
});

const pings = () => last(FakeSocket.made).sent.filter(({ type }) => type === "ping").length;

test("a server that says nothing for 5 s after it was asked is given up", async () => {
  await online();
  clock.tick(10000);
  assert.equal(pings(), 1);
  clock.tick(4000);
  last(FakeSocket.made).tell({ type: "pong" });
  clock.tick(6000);
  assert.equal(pings(), 2);
  last(FakeSocket.made).tell({ type: "process-removed", seq: 1 });
  clock.tick(10000);
  assert.deepEqual([pings(), live.state], [3, "online"]);
  clock.tick(4999);
  assert.equal(live.state, "online");
  clock.tick(1);
  await settled();
  assert.equal(live.state, "offline");
});

test("a connection that isn't made is given up too, and tried again", async () => {
  live.start();
  clock.tick(15000);
  await settled();
  assert.equal(live.state, "offline");
  clock.tick(1000);
  assert.equal(FakeSocket.made.length, 2);
  last(FakeSocket.made).welcome();
  assert.equal(live.state, "online");
});

test("a page that was held up itself reads what came before it gives up", async () => {
  await online();
  clock.tick(10000);
  clock.sleep(120000);
  assert.equal(live.state, "online");
  last(FakeSocket.made).tell({ type: "pong" });
  clock.tick(9000);
  assert.equal(live.state, "online");
});

test("in a hidden page, whose timers run once a minute, nothing is taken for dead", async () => {
  await online();
  for (let minute = 0; minute < 10; minute += 1) {
    const before = pings();
    clock.sleep(60000);
    assert.ok(pings() > before);
    last(FakeSocket.made).tell({ type: "pong" });
  }
  assert.equal(live.state, "online");
  assert.equal(FakeSocket.made.length, 1);
});

test("a server that is gone is noticed in a hidden page, too", async () => {
  await online();
  for (let minute = 0; minute < 3; minute += 1) clock.sleep(60000);
  await settled();
  assert.equal(live.state, "offline");
});

test("a server that can't do WebSockets is asked for events instead, at once", async () => {
  globalThis.fetch = () => Promise.resolve({ status: 501 });
  live.start();
  last(FakeSocket.made).drop();
  await settled();
  assert.equal(last(FakeEventSource.made).url, "/api/events");
  last(FakeEventSource.made).tell("welcome", {}, "e0");
  assert.deepEqual([live.state, live.transport], ["online", "eventsource"]);
  last(FakeEventSource.made).tell("process-removed", { type: "process-removed", seq: 1 }, "e1");
  assert.deepEqual(changes, [1]);
});

test("a proxy that lets no WebSocket through is got round at the second failure", async () => {
  globalThis.fetch = () => Promise.resolve({ status: 426 });
  live.start();
  last(FakeSocket.made).drop();
  await settled();
  assert.equal(FakeEventSource.made.length, 0);
  clock.tick(1000);
  last(FakeSocket.made).drop();
  await settled();
  assert.equal(FakeEventSource.made.length, 1);
});

test("over events, a process is followed in a stream of its own, and resumed", async () => {
  globalThis.fetch = () => Promise.resolve({ status: 501 });
  live.start();
  last(FakeSocket.made).drop();
  await settled();
  const events = last(FakeEventSource.made);
  events.tell("welcome", {}, "e0");
  const seen = [];
  live.follow("a/b", {
    times: true,
    onChunk: ({ content, cursor }) => seen.push(content + cursor),
    onDone: (done) => seen.push(done),
  });
  const stream = last(FakeEventSource.made);
  assert.equal(stream.url, "/api/processes/a%2Fb/stream?times=true");
  stream.tell("chunk", { content: "x" }, "c1");
  events.onerror();
  await settled();
  assert.ok(stream.closed);
  assert.equal(live.state, "offline");
  clock.tick(1000);
  last(FakeSocket.made).drop();
  await settled();
  const again = last(FakeEventSource.made);
  assert.equal(again.url, "/api/events?lastEventId=e0");
  again.onopen();
  assert.equal(
    last(FakeEventSource.made).url,
    "/api/processes/a%2Fb/stream?lastEventId=c1&times=true",
  );
  last(FakeEventSource.made).tell("status", { status: "failed" });
  last(FakeEventSource.made).tell("done", { processId: "a/b" }, "end");
  assert.deepEqual(seen, [
    "xc1",
    { type: "done", processId: "a/b", status: "failed", cursor: "end" },
  ]);
  assert.equal(resyncs, 0);
});

test("a stream that the server refuses for good tells that there is no such process", async () => {
  globalThis.fetch = () => Promise.resolve({ status: 501 });
  live.start();
  last(FakeSocket.made).drop();
  await settled();
  last(FakeEventSource.made).tell("welcome", {}, "e0");
  const ends = [];
  live.follow("gone", { onChunk() {}, onDone: ({ error, status }) => ends.push([error, status]) });
  globalThis.fetch = async () => ({
    status: 404,
    ok: false,
    json: async () => ({ error: "Process not found" }),
  });
  last(FakeEventSource.made).onerror();
  clock.tick(2000);
  await settled();
  assert.deepEqual(ends, [["Process not found", undefined]]);
});

async function onlineOverEvents() {
  globalThis.fetch = () => Promise.resolve({ status: 501 });
  live.start();
  last(FakeSocket.made).drop();
  await settled();
  live.expectHeartbeats(15);
  last(FakeEventSource.made).tell("welcome", {}, "e0");
  return last(FakeEventSource.made);
}

test("events that miss three heartbeats come from a server that is gone", async () => {
  const events = await onlineOverEvents();
  for (let n = 0; n < 10; n += 1) {
    clock.tick(15000);
    events.tell("heartbeat");
  }
  clock.tick(45000);
  assert.equal(live.state, "online");
  clock.tick(5000);
  await settled();
  assert.equal(live.state, "offline");
  assert.ok(events.closed);
});

test("events go on however long they are silent, until it is known how long they may be", async () => {
  globalThis.fetch = () => Promise.resolve({ status: 501 });
  live.start();
  last(FakeSocket.made).drop();
  await settled();
  last(FakeEventSource.made).tell("welcome", {}, "e0");
  clock.tick(600000);
  assert.equal(live.state, "online");
});

test("events that lie unread in a page that was held up are read before it gives up", async () => {
  const events = await onlineOverEvents();
  clock.sleep(3600000);
  events.tell("heartbeat");
  clock.tick(40000);
  assert.equal(live.state, "online");
  clock.sleep(60000);
  clock.sleep(60000);
  await settled();
  assert.equal(live.state, "offline");
});

test("a process's stream that misses three heartbeats is taken up where it broke", async () => {
  const events = await onlineOverEvents();
  live.follow("p", { onChunk() {} });
  const stream = last(FakeEventSource.made);
  stream.tell("chunk", { content: "x" }, "c1");
  const beat = (ms, ...heard) => {
    for (let n = 0; n < ms; n += 15000) {
      clock.tick(15000);
      for (const one of heard) one.tell("heartbeat");
    }
  };
  beat(150000, events, stream);
  assert.equal(last(FakeEventSource.made), stream);
  globalThis.fetch = async () => ({ status: 200, ok: true, json: async () => ({ process: {} }) });
  beat(60000, events);
  await settled();
  assert.ok(stream.closed);
  assert.equal(last(FakeEventSource.made).url, "/api/processes/p/stream?lastEventId=c1");
  assert.equal(live.state, "online");
});
