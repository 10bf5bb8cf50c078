/** How output gets into a log: what is missing is said, what comes twice is shown once. */

import assert from "node:assert/strict";
import { test } from "node:test";

const LOG = new URL("../../../plugins/pipeline_host_dashboard/static/js/log/", import.meta.url);
const { Transcript } = await import(new URL("transcript.js", LOG));
const { Output } = await import(new URL("output.js", LOG));
const { hashOf, linesOf } = await import(new URL("lines.js", LOG));

/** A `Live` whose server is the test. */
class Scripted {
  follows = [];
  closed = 0;
  #listeners = new Set();

  on(event, listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  follow(processId, options) {
    this.follows.push({ processId, ...options });
    return { close: () => (this.closed += 1) };
  }

  state(state) {
    for (const listener of this.#listeners) listener(state);
  }

  chunk(content) {
    this.follows.at(-1).onChunk({ content });
  }

  gap(missingBytes) {
    this.follows.at(-1).onGap({ missingBytes });
  }

  done(done) {
    this.follows.at(-1).onDone(done);
  }
}

function following() {
  const live = new Scripted();
  const transcript = new Transcript();
  const told = { changes: 0, restarts: 0 };
  const output = new Output(transcript, live, "p", {
    onChange: () => (told.changes += 1),
    onRestart: () => (told.restarts += 1),
  });
  return { live, transcript, output, told };
}

test("it follows from the start, with times", () => {
  const { live } = following();
  assert.equal(live.follows.length, 1);
  assert.equal(live.follows[0].processId, "p");
  assert.equal(live.follows[0].times, true);
  assert.equal(live.follows[0].after, undefined);
});

test("each chunk is added and told", () => {
  const { live, transcript, told } = following();
  live.chunk("a\nb");
  live.chunk("c\n");
  assert.equal(transcript.text(), "a\nbc");
  assert.equal(told.changes, 2);
});

test("what retention has dropped is said before what is left", () => {
  const { live, transcript } = following();
  live.gap(12_300);
  live.chunk("the rest\n");
  assert.equal(transcript.text(), "12 kB of output are no longer there\nthe rest");
});

test("what was damaged is said where it was", () => {
  const { live, transcript } = following();
  live.chunk("before");
  live.gap(5);
  live.chunk("after");
  assert.equal(transcript.text(), "before\n5 B of output are no longer there\nafter");
});

test("a connection that is taken up goes on where it broke", () => {
  const { live, transcript, told } = following();
  live.chunk("be");
  live.state("offline");
  live.state("online");
  live.chunk("fore\n");
  live.gap(3);
  assert.equal(live.follows.length, 1);
  assert.equal(told.restarts, 0);
  assert.equal(transcript.text(), "before\n3 B of output are no longer there");
});

test("one that can't be taken up, as the server has other data, begins anew", () => {
  const { live, transcript, told } = following();
  live.chunk("of the old data\n");
  live.state("offline");
  live.state("online");
  live.gap(0);
  assert.equal(live.follows.length, 2);
  assert.equal(told.restarts, 1);
  live.chunk("of the new data\n");
  live.gap(7);
  assert.equal(transcript.text(), "of the new data\n7 B of output are no longer there");
});

test("its end is kept, and closing it stops following", () => {
  const { live, output } = following();
  live.follows[0].onDone({ status: "completed" });
  assert.deepEqual(output.done, { status: "completed" });
  output.close();
  assert.equal(live.closed, 1);
  live.state("offline");
});

test("links name a line or several", () => {
  assert.deepEqual(linesOf("#L12"), { from: 11, to: 11 });
  assert.deepEqual(linesOf("#L20-L12"), { from: 11, to: 19 });
  assert.deepEqual(linesOf("#L3-5"), { from: 2, to: 4 });
  assert.deepEqual(linesOf("#L0"), { from: 0, to: 0 });
  for (const other of ["", "#", "#L", "#Lx", "#top", "#L1.5", "#L-3", "#L99999999999"]) {
    assert.equal(linesOf(other), null, other);
  }
  for (const hash of ["#L1", "#L7-L9"]) assert.equal(hashOf(linesOf(hash)), hash);
});

test("a process that wasn't there when it was asked for is followed once it is", () => {
  const { live, output } = following();
  live.done({ error: "Process not found" });
  output.present(false);
  assert.equal(live.follows.length, 2);
  assert.equal(output.done, null);
  output.present(false);
  assert.equal(live.follows.length, 2);
});

test("one that ended is not followed again", () => {
  const { live, output } = following();
  live.done({ status: "completed" });
  output.present(false);
  assert.equal(live.follows.length, 1);
});

test("what is shown of a process that has gone stays until something of the next one comes", () => {
  const { live, transcript, output, told } = following();
  live.chunk("of the old one\n");
  live.done({ error: "Process not found" });
  output.present(false);
  live.done({ error: "Process not found" });
  assert.equal(transcript.text().trimEnd(), "of the old one");
  output.present(false);
  live.chunk("of the new one\n");
  assert.equal(transcript.text().trimEnd(), "of the new one");
  assert.equal(told.restarts, 1);
});

test("one that is surely another one, or ends without a word, clears the log at once", () => {
  const { live, transcript, output } = following();
  const empty = transcript.text();
  live.chunk("of the old one\n");
  live.done({ error: "Process not found" });
  output.present(true);
  assert.equal(transcript.text(), empty);
  live.chunk("of the new one\n");
  live.done({ error: "Process not found" });
  output.present(false);
  live.done({ status: "completed" });
  assert.equal(transcript.text(), empty);
});
