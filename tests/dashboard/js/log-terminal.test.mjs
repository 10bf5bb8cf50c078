/** What a terminal would show of an output, and how it looks. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

const LOG = new URL("../../../plugins/pipeline_host_dashboard/static/js/log/", import.meta.url);
const { Transcript } = await import(new URL("transcript.js", LOG));
const { COLUMNS, LONGEST, REACH } = await import(new URL("screen.js", LOG));
const style = await import(new URL("styles.js", LOG));

const { NONE, RGB } = style;

function shown(...pieces) {
  const transcript = new Transcript();
  for (const piece of pieces) transcript.write(piece);
  return transcript;
}

/** The pieces of a line of one look each: `[text, foreground, background, flags]`. */
function looks(transcript, number = 0) {
  const { text, runs } = transcript.line(number);
  const starts = [0, ...[...runs].filter((_, at) => at % 2 === 0), text.length];
  const numbers = [0, ...[...runs].filter((_, at) => at % 2 === 1)];
  return numbers
    .map((number, at) => {
      const { foreground, background, flags } = transcript.styles.get(number);
      return [text.slice(starts[at], starts[at + 1]), foreground, background, flags];
    })
    .filter(([piece]) => piece !== "");
}

function shows(name, input, expected) {
  test(name, () => {
    assert.equal(shown(input).text(), expected);
    for (let at = 0; at <= input.length; at += 1) {
      const cut = [input.slice(0, at), input.slice(at)];
      assert.equal(shown(...cut).text(), expected, `cut at ${at}: ${JSON.stringify(cut)}`);
    }
    assert.equal(shown(...input).text(), expected, "in single characters");
  });
}

describe("text", () => {
  shows("lines end with a line feed, with or without a return", "a\nb\r\nc", "a\nb\nc");
  shows("a line feed at the end begins no line", "a\n", "a");
  shows("empty lines are lines", "\n\na\n\n", "\n\na\n");
  shows("nothing is nothing", "", "");
  shows("tabulators go to every eighth cell", "a\tb\n\tc", "a       b\n        c");
  shows("a tabulator over text moves and erases nothing", "0123456789\r\tX", "01234567X9");
  shows("characters that can't be seen are left out", "a\0b\x07c\x7fd", "abcd");
});

describe("a line that is written again", () => {
  shows("a return alone goes to its beginning", "10%\r 20%", " 20%");
  shows("what isn't written over stays", "a long one\rshort", "shortg one");
  shows("a backspace goes back by one cell", "abc\b\bX", "aXc");
  shows("a backspace stops at the beginning", "a\b\b\bX", "X");
  shows("a progress bar leaves its last state", "\r 0%|  |\r50%|# |\r100%|##|\ndone", "100%|##|\ndone");
  shows("erasing to the end", "abcdef\r\x1b[3C\x1b[K", "abc");
  shows("erasing to the beginning", "abcdef\x1b[3D\x1b[1K", "    ef");
  shows("erasing all of it", "abcdef\x1b[2K\rX", "X");
  shows("deleting characters", "abcdef\r\x1b[2P", "cdef");
  shows("inserting characters", "abc\r\x1b[2@X", "X abc");
  shows("blanking characters", "abcdef\r\x1b[2X", "  cdef");
  shows("going to a column", "abc\x1b[6GX\x1b[1GY", "Ybc  X");
});

describe("wide characters", () => {
  shows("take two cells", "日本語\r\x1b[2CX", "日X 語");
  shows("one that is half written over becomes a space", "日本\r\x1b[1CX", " X本");
  shows("may replace narrow ones", "abcd\r日", "日cd");
  shows("emoji and marks", "🎉e\u0301!\r\x1b[3CX", "🎉e\u0301X");
});

describe("several lines that are written again", () => {
  shows("going up and down", "a: 1%\nb: 1%\n\x1b[2Aa: 9%\n\x1b[Kb: 8%\nend", "a: 9%\nb: 8%\nend");
  shows("previous and next line", "a\nb\nc\x1b[2FX\x1b[EY", "X\nY\nc");
  shows("erasing all that follows", "a\nb\nc\x1b[2F\x1b[Jd", "d");
  shows("saving and restoring the place", "ab\x1b7cd\nef\x1b8XY", "abXY\nef");
  shows("a page that is cleared is kept, and the next one begins below it",
    "one\x1b[2J\x1b[Htwo\nthree\x1b[HTWO", "one\nTWO\nthree");
  test("as far back as a terminal reaches, and no further", () => {
    const lines = Array.from({ length: 1000 }, (_, number) => `${number}`);
    const transcript = shown(lines.join("\n"), `\x1b[5000AX`);
    const changed = transcript.text().split("\n").findIndex((line, at) => line !== lines[at]);
    assert.ok(changed >= 1000 - REACH - 300, `${changed}`);
    assert.ok(changed <= 1000 - REACH);
  });
});

describe("sequences that say something else", () => {
  shows("titles", "\x1b]0;title\x07a\x1b]2;t\x1b\\b\x1b]0;t\x9cc", "abc");
  shows("links leave their text", "\x1b]8;;http://x/\x1b\\text\x1b]8;;\x1b\\.", "text.");
  shows("device control, applications, privacy", "\x1bPq#0\x1b\\a\x1b_x\x1b\\b\x1b^x\x1b\\c\x1bXs\x1b\\d", "abcd");
  shows("modes", "\x1b[?25la\x1b[?2004hb\x1b[>4;1mc\x1b[!pd\x1b[1 qe", "abcde");
  shows("character sets and keypads", "\x1b(Ba\x1b=b\x1b>c\x1b#8d", "abcd");
  shows("with C1 controls", "\x9b31ma\x9b0m\x9d0;t\x07b", "ab");
  shows("a string that isn't ended doesn't swallow the next line", "\x1b]0;oops\nseen", "\nseen");
  shows("a sequence that breaks off", "\x1b[3\nx\x1b\ny", "\nx\ny");
  shows("an escape sequence within a string ends it", "\x1b]0;t\x1b[1mx", "x");
  test("one that never ends is given up", () => {
    const transcript = shown("\x1b[", ..."1;".repeat(2000), "\nafter");
    assert.equal(transcript.text().split("\n").at(-1), "after");
  });
});

describe("looks", () => {
  test("colours of 8, 16, 256 and all", () => {
    const transcript = shown("\x1b[31ma\x1b[92mb\x1b[38;5;200mc\x1b[38;2;1;2;3md\x1b[39me\x1b[48;5;7mf");
    assert.deepEqual(looks(transcript), [
      ["a", 1, NONE, 0],
      ["b", 10, NONE, 0],
      ["c", 200, NONE, 0],
      ["d", RGB | 0x010203, NONE, 0],
      ["e", NONE, NONE, 0],
      ["f", NONE, 7, 0],
    ]);
  });
  test("colours told with colons, and the colour of underlines left out", () => {
    const transcript = shown("\x1b[38:2::1:2:3ma\x1b[38:2:4:5:6mb\x1b[38:5:9mc\x1b[58;5;3;1md\x1b[58:2::1:1:1;4:3me");
    assert.deepEqual(looks(transcript), [
      ["a", RGB | 0x010203, NONE, 0],
      ["b", RGB | 0x040506, NONE, 0],
      ["c", 9, NONE, 0],
      ["d", 9, NONE, style.BOLD],
      ["e", 9, NONE, style.BOLD | style.UNDERLINE],
    ]);
  });
  test("bold, dim, italic, underlined, inverse, struck, and each one's end", () => {
    const transcript = shown("\x1b[1;2;3;4;7;9ma\x1b[22mb\x1b[23;24mc\x1b[27;29md\x1b[1me\x1b[mf");
    assert.deepEqual(looks(transcript).map(([text, , , flags]) => [text, flags]), [
      ["a", 1 | 2 | 4 | 8 | 16 | 32],
      ["b", 4 | 8 | 16 | 32],
      ["c", 16 | 32],
      ["d", 0],
      ["e", 1],
      ["f", 0],
    ]);
  });
  test("nonsense changes nothing", () => {
    const transcript = shown("\x1b[38;5ma\x1b[38;2;300;0;0mb\x1b[38;9mc\x1b[999md");
    assert.deepEqual(looks(transcript), [["abcd", NONE, NONE, 0]]);
  });
  test("go on over lines until they end", () => {
    const transcript = shown("\x1b[31ma\nb\x1b[0m\nc");
    assert.deepEqual([0, 1, 2].map((number) => looks(transcript, number)[0][1]), [1, 1, NONE]);
  });
  test("stay with what isn't written over", () => {
    const transcript = shown("\x1b[31mabcdef\x1b[0m\r\x1b[2C\x1b[32mXY\x1b[0m");
    assert.deepEqual(looks(transcript), [["ab", 1, NONE, 0], ["XY", 2, NONE, 0], ["ef", 1, NONE, 0]]);
  });
  test("the streams are told apart", () => {
    const transcript = new Transcript();
    transcript.write("out ", { stream: "stdout" });
    transcript.write("err", { stream: "stderr" });
    transcript.write(" out");
    assert.deepEqual(looks(transcript).map(([text, , , flags]) => [text, flags]), [
      ["out ", 0],
      ["err", style.STDERR],
      [" out", 0],
    ]);
  });
  test("of more of them than can be told apart, the rest is plain", () => {
    const transcript = new Transcript();
    for (let color = 0; color < 30000; color += 1) {
      transcript.write(`\x1b[38;2;${color >> 8};${color & 255};0mx`);
    }
    assert.ok(transcript.styles.size < 20002);
    assert.equal(transcript.text(), "x".repeat(30000));
  });
});

describe("bounds", () => {
  test("a leap of the cursor ends at the width of a terminal", () => {
    assert.equal(shown("\x1b[999999999CX").text().length, COLUMNS + 1);
    assert.equal(shown("abc\r\x1b[999999999@X").text().length, COLUMNS + 3);
    assert.equal(shown("\x1b[999999999Ba").text(), "a");
  });
  test("a line of more than a million characters is broken", () => {
    const transcript = new Transcript();
    for (let at = 0; at < 130; at += 1) transcript.write("x".repeat(16384));
    assert.deepEqual([...Array(transcript.end).keys()].map((number) => transcript.line(number).text.length),
      [LONGEST, LONGEST, 130 * 16384 - 2 * LONGEST]);
  });
});

describe("a transcript", () => {
  const lines = Array.from({ length: 5000 }, (_, number) => `line ${number} é日 ${"x".repeat(number % 90)}`);
  const whole = () => {
    const transcript = new Transcript();
    lines.forEach((line, number) =>
      transcript.write(number % 7 ? `${line}\n` : `\x1b[3${number % 8}m${line}\x1b[m\n`, { time: number + 1 }));
    return transcript;
  };
  test("tells each line, however long ago it was", () => {
    const transcript = whole();
    assert.equal(transcript.end, lines.length);
    for (const number of [0, 4999, 77, 4700, 255, 256, 2500]) {
      const line = transcript.line(number);
      assert.equal(line.text, lines[number]);
      assert.equal(line.time, number + 1);
      assert.equal(line.width, lines[number].length + 1);
      assert.equal(looks(transcript, number)[0][1], number % 7 ? NONE : number % 8);
    }
    assert.equal(transcript.text(), lines.join("\n"));
  });
  test("tells a line's time by its beginning", () => {
    const transcript = new Transcript();
    transcript.write("a", { time: 5 });
    transcript.write("b\n\n", { time: 6 });
    assert.deepEqual([transcript.line(0).time, transcript.line(1).time], [5, 6]);
  });
  test("keeps the newest where there is too much", () => {
    const transcript = new Transcript(100_000);
    for (const line of lines) transcript.write(`${line}\n`);
    assert.ok(transcript.first > 1000);
    assert.equal(transcript.text(), lines.slice(transcript.first).join("\n"));
  });
  test("notes what is missing in a line of its own", () => {
    const transcript = shown("a");
    transcript.gap("3 bytes are missing");
    transcript.write("b");
    assert.equal(transcript.text(), "a\n3 bytes are missing\nb");
    assert.deepEqual(looks(transcript, 1)[0][3], style.GAP);
  });
  test("is changed with each piece", () => {
    const transcript = shown("a");
    const { version } = transcript;
    const { stamp } = transcript.line(0);
    transcript.write("b");
    assert.notEqual(transcript.version, version);
    assert.notEqual(transcript.line(0).stamp, stamp);
  });
});
