/** Which rows a timeline has, and where its bars lie. */

import assert from "node:assert/strict";
import { test } from "node:test";

const STATIC = new URL("../../../plugins/pipeline_host_dashboard/static/js/", import.meta.url);
const { ApiError } = await import(new URL("api.js", STATIC));
const { Feed } = await import(new URL("timeline/feed.js", STATIC));
const { Spans, partsOf, spanOf } = await import(new URL("timeline/spans.js", STATIC));
const scale = await import(new URL("timeline/scale.js", STATIC));

const T0 = Date.parse("2026-11-22T07:00:00.000Z");
const MINUTE = 60_000;

function process(id, start, { end, parent, status = end === undefined ? "running" : "completed", began } = {}) {
  return {
    id,
    promptPreview: `do ${id}`,
    status,
    type: "t",
    startTime: new Date(T0 + start).toISOString(),
    ...(end === undefined ? {} : { endTime: new Date(T0 + end).toISOString() }),
    ...(parent ? { parentProcessId: parent } : {}),
    ...(began === undefined ? {} : { began: new Date(T0 + began).toISOString() }),
  };
}

function spans(...processes) {
  const made = new Spans();
  for (const one of processes) made.put(one);
  return made;
}

function outline(made, options = {}) {
  return made.rows({ now: T0 + 100, ...options }).map(({ span, depth }) => "-".repeat(depth) + span.id);
}

test("the newest comes first, and what belongs to it below in its own order", () => {
  const made = spans(
    process("old", 0), process("new", 10), process("b", 30, { parent: "new" }),
    process("a", 20, { parent: "new" }), process("deep", 25, { parent: "a" }),
  );
  assert.deepEqual(outline(made), ["new", "-a", "--deep", "-b", "old"]);
});

test("what is closed hides what belongs to it, and tells how many", () => {
  const made = spans(process("p", 0), process("a", 1, { parent: "p" }), process("b", 2, { parent: "p" }));
  const rows = made.rows({ now: T0, closed: new Set(["p"]) });
  assert.deepEqual(rows.map(({ span, children, open }) => [span.id, children, open]), [["p", 2, false]]);
});

test("one whose parent isn't here stands by itself", () => {
  assert.deepEqual(outline(spans(process("a", 0, { parent: "elsewhere" }))), ["a"]);
});

test("parents in a circle lose nobody", () => {
  const made = spans(
    process("a", 0, { parent: "c" }), process("b", 1, { parent: "a" }), process("c", 2, { parent: "b" }),
    process("self", 3, { parent: "self" }),
  );
  assert.deepEqual(outline(made).map((row) => row.replaceAll("-", "")).sort(), ["a", "b", "c", "self"]);
});

test("a chain of thousands is no matter", () => {
  const made = spans(process("0", 0));
  for (let i = 1; i < 20_000; i += 1) made.put(process(String(i), i, { parent: String(i - 1) }));
  const rows = made.rows({ now: T0 });
  assert.equal(rows.length, 20_000);
  assert.equal(rows.at(-1).depth, 19_999);
});

test("a range keeps what lies in it, and what that belongs to", () => {
  const made = spans(
    process("p", 0, { end: 5 }), process("late", 50, { end: 60, parent: "p" }),
    process("early", 1, { end: 2, parent: "p" }), process("open", 0), process("future", 200),
  );
  assert.deepEqual(outline(made, { from: T0 + 40, to: T0 + 100 }), ["p", "-late", "open"]);
});

test("removing and putting again moves rows", () => {
  const made = spans(process("p", 0), process("a", 1, { parent: "p" }));
  made.remove(["p"]);
  assert.deepEqual(outline(made), ["a"]);
  made.put(process("p", 0));
  assert.deepEqual(outline(made), ["p", "-a"]);
});

test("one that waited has two parts", () => {
  const span = spanOf(process("a", 0, { end: 100, began: 40 }));
  assert.deepEqual(partsOf(span, T0 + 500), { waited: [T0, T0 + 40], ran: [T0 + 40, T0 + 100] });
});

test("one of which nothing is known but start and end ran all the time", () => {
  assert.deepEqual(partsOf(spanOf(process("a", 0, { end: 100 })), T0), { waited: null, ran: [T0, T0 + 100] });
});

test("one that waits has not run, until it does", () => {
  const made = spans(process("a", 0, { status: "queued" }));
  assert.deepEqual(partsOf(made.get("a"), T0 + 9), { waited: [T0, T0 + 9], ran: null });
  made.put(process("a", 0, { status: "running" }), T0 + 30);
  assert.deepEqual(partsOf(made.get("a"), T0 + 50), { waited: [T0, T0 + 30], ran: [T0 + 30, T0 + 50] });
  made.put(process("a", 0, { end: 80 }), T0 + 81);
  assert.deepEqual(partsOf(made.get("a"), T0 + 99).ran, [T0 + 30, T0 + 80]);
});

test("one that was cancelled while it waited never ran", () => {
  const made = spans(process("a", 0, { status: "queued" }));
  made.put(process("a", 0, { status: "cancelled", end: 20 }), T0 + 20);
  assert.deepEqual(partsOf(made.get("a"), T0 + 99), { waited: [T0, T0 + 20], ran: null });
});

test("clocks that disagree draw no bar backwards", () => {
  for (const began of [-50, 500]) {
    const { waited, ran } = partsOf(spanOf(process("a", 0, { end: 100, began })), T0);
    assert.ok(waited[0] <= waited[1] && waited[1] === ran[0] && ran[0] <= ran[1]);
  }
  assert.deepEqual(partsOf(spanOf(process("a", 0, { end: -9 })), T0).ran, [T0, T0]);
});

test("the extent goes from the first start to now where something runs", () => {
  assert.equal(new Spans().extent(T0), null);
  assert.deepEqual(spans(process("a", 5, { end: 9 }), process("b", 7)).extent(T0 + 50), { from: T0 + 5, to: T0 + 50 });
});

test("the range to begin with is the shortest that holds enough", () => {
  const ranges = { short: 100, long: 1000, all: null };
  const made = spans(process("a", 0, { end: 50 }), process("b", 0, { end: 950 }), process("c", 0));
  assert.equal(made.fitting(ranges, 1, T0 + 1000), "short");
  assert.equal(made.fitting(ranges, 2, T0 + 1000), "short");
  assert.equal(made.fitting(ranges, 3, T0 + 1000), "long");
  assert.equal(made.fitting(ranges, 3, T0 + 5000), "all");
  assert.equal(made.fitting(ranges, 4, T0 + 1000), "all");
});

test("places and times are each other's reverse", () => {
  const frame = { from: T0, to: T0 + MINUTE };
  for (const x of [0, 17, 600]) {
    assert.ok(Math.abs(scale.toX(frame, 600, scale.toTime(frame, 600, x)) - x) < 1e-3);
  }
});

test("zooming keeps the moment under the pointer where it is, within limits", () => {
  let frame = { from: T0, to: T0 + MINUTE };
  const at = T0 + 20_000;
  for (const factor of [0.5, 0.5, 4, 1e-9, 1e30, 0.1]) {
    const before = scale.toX(frame, 900, at);
    frame = scale.zoom(frame, factor, at);
    assert.ok(Math.abs(scale.toX(frame, 900, at) - before) < 0.01);
    assert.ok(frame.to - frame.from >= scale.SHORTEST * 0.999);
    assert.ok(frame.to - frame.from <= scale.LONGEST * 1.001);
  }
});

test("marks are round, in view, apart, and never many", () => {
  for (const length of [2000, 10 * MINUTE, 86_400_000, 40 * 86_400_000, scale.LONGEST, 100 * scale.LONGEST]) {
    for (const width of [200, 1200]) {
      const frame = { from: T0 + 12_345, to: T0 + 12_345 + length };
      const marks = scale.ticks(frame, width, 96, 0);
      assert.ok(marks.length <= width / 96 + 1);
      for (const [index, { time, step }] of marks.entries()) {
        assert.ok(time % step === 0 || length > scale.LONGEST);
        assert.ok(time >= frame.from && time <= frame.to);
        if (index) assert.ok(scale.toX(frame, width, time) - scale.toX(frame, width, marks[index - 1].time) >= 95.9);
      }
    }
  }
});

test("marks are round in the local time", () => {
  const frame = { from: T0, to: T0 + 86_400_000 };
  const [first] = scale.ticks(frame, 400, 96, -330); // half past five ahead of UTC
  assert.equal((first.time + 330 * MINUTE) % first.step, 0);
});

test("a bar is cut to the view, and says on which side it is when it isn't in it", () => {
  const frame = { from: T0, to: T0 + 100 };
  assert.deepEqual(scale.place(frame, 1000, [T0 - 1e9, T0 + 1e9]), { left: -4, width: 1008, side: "in" });
  assert.deepEqual(scale.place(frame, 1000, [T0 + 10, T0 + 10]), { left: 100, width: 2, side: "in" });
  assert.equal(scale.place(frame, 1000, [T0 - 20, T0 - 10]).side, "before");
  assert.equal(scale.place(frame, 1000, [T0 + 200, T0 + 300]).side, "after");
});

test("only the rows in view are drawn, and some beside them", () => {
  assert.deepEqual(scale.visibleRows(0, 300, 30, 5000), { first: 0, last: 16 });
  assert.deepEqual(scale.visibleRows(3000, 300, 30, 5000), { first: 94, last: 116 });
  assert.deepEqual(scale.visibleRows(0, 300, 30, 3), { first: 0, last: 3 });
  assert.deepEqual(scale.visibleRows(9000, 300, 30, 0), { first: 0, last: 0 });
});

test("a timeline that is left open keeps the newest ones, and what fails is read again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const after = async (milliseconds) => {
    t.mock.timers.tick(milliseconds);
    for (let n = 0; n < 200; n += 1) await Promise.resolve();
  };
  const all = [];
  let broken = true;
  let hear;
  const timeline = async ({ cursor = "0" }) => {
    if (broken) throw new ApiError(503, "busy");
    const from = Number(cursor);
    const nextCursor = from + 1000 < all.length ? String(from + 1000) : undefined;
    return { processes: all.toReversed().slice(from, from + 1000), nextCursor };
  };
  const live = { on: (event, listener) => ((hear = event === "change" ? listener : hear), () => {}) };
  const feed = new Feed({ api: { timeline }, live }, null, () => {});
  await after(0);
  assert.deepEqual([feed.state, feed.error.message], ["failed", "busy"]);
  broken = false;
  await after(1000);
  assert.equal(feed.state, "ready");
  for (let n = 0; n <= 11000; n += 1) {
    all.push(process(`p${n}`, n));
    hear({ process: all.at(-1), timestamp: 0 });
  }
  await after(20000);
  assert.deepEqual([feed.spans.size, feed.more], [10000, true]);
  assert.ok(feed.spans.get("p11000"));
  feed.close();
});
