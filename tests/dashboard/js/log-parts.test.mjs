/** Rows, scrolling, search and colours of a log, without a browser. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

const LOG = new URL("../../../plugins/pipeline_host_dashboard/static/js/log/", import.meta.url);
const { Transcript } = await import(new URL("transcript.js", LOG));
const { Rows } = await import(new URL("rows.js", LOG));
const { Scroll, TALLEST } = await import(new URL("scroll.js", LOG));
const { Search, MOST_MATCHES } = await import(new URL("search.js", LOG));
const { READABLE, colorsOf, contrast, paletteColor } = await import(new URL("colors.js", LOG));
const { DIM, INVERSE, NONE, RGB } = await import(new URL("styles.js", LOG));

/** The same numbers each time (mulberry32). */
function chance(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function transcriptOf(lines, most) {
  const transcript = new Transcript(most);
  for (const line of lines) transcript.write(`${line}\n`);
  return transcript;
}

describe("rows", () => {
  const random = chance(1);
  const lines = Array.from({ length: 3000 }, (_, number) => "x".repeat(random(5) ? random(60) : 200 + number % 90));

  test("without wrapping there is one for each line", () => {
    const rows = new Rows(transcriptOf(lines));
    assert.equal(rows.total, lines.length);
    assert.deepEqual(rows.at(1234), { number: 1234, part: 0 });
    assert.equal(rows.rowOf(1234), 1234);
  });
  for (const cols of [1, 7, 80]) {
    test(`of ${cols} cells, each is a part of one line, in order`, () => {
      const transcript = new Transcript();
      const rows = new Rows(transcript);
      rows.columns = cols;
      const expected = [];
      lines.forEach((line, number) => {
        transcript.write(`${line}\n`);
        if (number % 500 === 0) assert.equal(rows.rowOf(number), expected.length);
        for (let part = 0; part < Math.max(1, Math.ceil(line.length / cols)); part += 1) {
          expected.push({ number, part });
        }
      });
      assert.equal(rows.total, expected.length);
      for (let row = 0; row < expected.length; row += 97) {
        assert.deepEqual(rows.at(row), expected[row]);
        assert.equal(rows.rowOf(expected[row].number), row - expected[row].part);
      }
      assert.deepEqual(rows.at(expected.length - 1), expected.at(-1));
    });
  }
  test("count from the first line that is kept", () => {
    const transcript = transcriptOf(lines, 20_000);
    const rows = new Rows(transcript);
    for (const columns of [Infinity, 30]) {
      rows.columns = columns;
      assert.deepEqual(rows.at(0), { number: transcript.first, part: 0 });
      assert.equal(rows.rowOf(transcript.first), 0);
    }
    transcript.write("y\n".repeat(20_000));
    assert.deepEqual(rows.at(0), { number: transcript.first, part: 0 });
  });
});

describe("scrolling", () => {
  const VIEW = 700;
  function scroll(content) {
    const made = new Scroll();
    made.resize(content, VIEW);
    return made;
  }
  const longest = (one) => one.height - VIEW;

  test("what fits is scrolled pixel by pixel", () => {
    const one = scroll(5_000_000);
    assert.equal(one.height, 5_000_000);
    for (const bar of [1, 17, 4_000_000, 3, one.end]) {
      one.scrolled(bar);
      assert.equal(one.top, bar);
    }
    assert.ok(one.isAtEnd);
  });
  for (const content of [TALLEST + 1, 20_000_000, 3_000_000_000]) {
    describe(`in ${content} pixels`, () => {
      test("the element is no higher than browsers draw", () => {
        assert.equal(scroll(content).height, TALLEST);
      });
      test("the ends are the ends", () => {
        const one = scroll(content);
        one.scrolled(longest(one));
        assert.equal(one.top, one.end);
        one.scrolled(0);
        assert.equal(one.top, 0);
      });
      test("a leap goes to the same part, further with a greater one", () => {
        const one = scroll(content);
        let last = -1;
        for (let part = 0; part <= 1; part += 0.01) {
          one.scrolled(part < 0.5 ? TALLEST : 0);
          one.scrolled(longest(one) * part);
          assert.ok(one.top >= last);
          assert.ok(Math.abs(one.top / one.end - part) < 0.15);
          last = one.top;
        }
      });
      test("a turn of the wheel moves as far as anywhere, from end to end", () => {
        const random = chance(content);
        const one = scroll(content);
        for (const start of [0, one.end, one.end / 2, one.end / 3, 500, one.end - 5000]) {
          one.go(start);
          for (let turn = 0; turn < 200; turn += 1) {
            const by = random(1200) - 600;
            const before = one.top;
            const bar = Math.max(0, Math.min(longest(one), one.bar + by));
            one.scrolled(bar);
            if (random(9) === 0) one.settle();
            const expected = Math.max(0, Math.min(one.end, before + by));
            assert.ok(Math.abs(one.top - expected) <= 1, `${before} by ${by} is ${one.top}`);
          }
        }
      });
      test("each pixel can be gone to, and settling moves nothing", () => {
        const one = scroll(content);
        const random = chance(7);
        for (let turn = 0; turn < 100; turn += 1) {
          const top = random(one.end);
          const bar = one.go(top);
          assert.ok(bar >= 0 && bar <= longest(one));
          assert.equal(one.top, top);
          assert.equal(one.scrolled(bar), false);
        }
      });
    });
  }
  test("while content is added, what is seen stays", () => {
    const one = scroll(10_000);
    one.go(3000);
    one.resize(50_000_000, VIEW);
    assert.equal(one.top, 3000);
    assert.ok(!one.isAtEnd);
  });
});

describe("searching", () => {
  const lines = Array.from({ length: 5000 }, (_, number) =>
    number % 50 === 3 ? `é日 Needle ${number} needle` : `hay ${number}`);
  const all = (search) => Array.from({ length: search.count }, (_, place) => search.at(place));
  const expected = lines.flatMap((line, number) =>
    [...line.matchAll(/needle/gi)].map(({ index }) => ({ number, start: index })));

  test("finds each place, in order, case ignored", () => {
    const search = new Search(transcriptOf(lines), "nEEdle");
    search.step(() => false);
    assert.deepEqual(all(search), expected);
  });
  test("goes on where it stopped, and with what comes", () => {
    const transcript = transcriptOf(lines.slice(0, 2000));
    const search = new Search(transcript, "needle");
    search.step(() => true);
    assert.ok(!search.isDone);
    for (const line of lines.slice(2000)) {
      transcript.write(`${line}\n`);
      if (!search.isDone) search.step(() => true);
    }
    search.step(() => false);
    assert.deepEqual(all(search), expected);
  });
  test("follows lines that change", () => {
    const transcript = transcriptOf(["hay"]);
    const search = new Search(transcript, "needle");
    assert.equal(search.count, 0);
    transcript.write("need");
    assert.equal(search.count, 0);
    transcript.write("le");
    assert.deepEqual(all(search), [{ number: 1, start: 0 }]);
    transcript.write("\rX");
    assert.equal(search.count, 0);
  });
  test("takes the text as it is", () => {
    const transcript = transcriptOf(["a.b*c (x) [1] \\d {2} ^$ | ? / - # é", "aXbbc"]);
    for (const text of ["a.b*c", "(x)", "[1]", "\\d", "{2}", "^$", "|", "?", "/", "-", "#", "É"]) {
      assert.equal(new Search(transcript, text).count, 1, text);
    }
  });
  test("tells the first match from a place on", () => {
    const search = new Search(transcriptOf(lines), "needle");
    search.step(() => false);
    assert.equal(search.from(0), 0);
    assert.equal(search.from(3, 4), 1);
    assert.equal(search.from(4), 2);
    assert.equal(search.from(5000), search.count);
  });
  test("counts up to a bound", () => {
    const search = new Search(transcriptOf(Array(3000).fill("x".repeat(60))), "x");
    search.step(() => false);
    assert.equal(search.count, MOST_MATCHES);
    assert.ok(search.isFull);
  });
});

describe("colours", () => {
  const light = { background: [252, 252, 253], text: [29, 34, 44], stderr: [154, 52, 18], marked: [[228, 227, 250]] };
  const dark = { background: [11, 13, 17], text: [223, 227, 234], stderr: [255, 169, 138], marked: [[33, 34, 51]] };
  for (const theme of [light, dark]) {
    theme.ansi = Array.from({ length: 16 }, (_, at) => [(at & 1) * 200, ((at >> 1) & 1) * 200, (at >> 2) * 60]);
  }

  test("the palette of 256 is xterm's", () => {
    assert.deepEqual(paletteColor(3, light), light.ansi[3]);
    assert.deepEqual(paletteColor(16, light), [0, 0, 0]);
    assert.deepEqual(paletteColor(208, light), [255, 135, 0]);
    assert.deepEqual(paletteColor(231, light), [255, 255, 255]);
    assert.deepEqual(paletteColor(232, light), [8, 8, 8]);
    assert.deepEqual(paletteColor(255, light), [238, 238, 238]);
  });
  test("any text can be read on any background, in both themes", () => {
    const random = chance(3);
    const any = () => [NONE, random(16), random(256), RGB | random(RGB)][random(4)];
    for (let turn = 0; turn < 3000; turn += 1) {
      for (const theme of [light, dark]) {
        const look = { foreground: any(), background: any(), flags: [0, DIM, INVERSE, 1][random(4)] };
        const { color, background } = colorsOf(look, theme);
        for (const back of background ? [background] : [theme.background, ...theme.marked]) {
          const seen = contrast(color ?? theme.text, back);
          assert.ok(seen >= READABLE - 0.05, `${JSON.stringify(look)}: ${seen}`);
        }
      }
    }
  });
  test("what can be read anyway is left as it was asked for", () => {
    const look = { foreground: RGB | 0x336699, background: NONE, flags: 0 };
    assert.deepEqual(colorsOf(look, light), { color: [0x33, 0x66, 0x99], background: null });
  });
  test("plain text has the log's colours", () => {
    const look = { foreground: NONE, background: NONE, flags: 0 };
    assert.deepEqual(colorsOf(look, dark), { color: null, background: null });
  });
});
