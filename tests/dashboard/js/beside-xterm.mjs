/**
 * Gives the same random output to a log and to xterm.js, and tells where they differ.
 *
 *     node beside-xterm.mjs FOLDER_WITH_NODE_MODULES ROUNDS
 *
 * Left out is what the two do on purpose differently: a log has no empty rows below its last line
 * to go down to, and xterm.js draws emoji in one cell unless it is told otherwise.
 */

import { createRequire } from "node:module";

const [modules, rounds] = process.argv.slice(2);
const { Terminal } = createRequire(`${modules}/`)("@xterm/headless");
const LOG = new URL("../../../plugins/pipeline_host_dashboard/static/js/log/", import.meta.url);
const { Transcript } = await import(new URL("transcript.js", LOG));

const ATOMS = [
  (n) => "abc def".slice(0, 1 + n(7)), () => "日本", () => "é", () => "▓", () => "\r", () => "\n",
  () => "\n", () => "\b", () => "\t", () => "\x1b7", () => "\x1b8", () => "\x1b]0;title\x07",
  () => "\x1b]8;;http://x\x1b\\", (n) => `\x1b[3${n(8)}m`, (n) => `\x1b[38;5;${n(256)}m`,
  () => "\x1b[1m", () => "\x1b[22m", () => "\x1b[0m", () => "\x1b[J", () => "\x1b[?25l",
  (n) => `\x1b[${n(6)}A`, (n) => `\x1b[${n(3)}F`, (n) => `\x1b[${n(8)}C`, (n) => `\x1b[${n(5)}D`,
  (n) => `\x1b[${1 + n(20)}G`, (n) => `\x1b[${n(3)}K`, (n) => `\x1b[${n(4)}P`,
  (n) => `\x1b[${n(4)}@`, (n) => `\x1b[${n(4)}X`,
];

/** The same numbers for the same seed (mulberry32). */
function chance(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Lines as lists of what is seen: each character but spaces with its place and look. */
function ofLog(input) {
  const transcript = new Transcript();
  const n = chance(input.length);
  for (let at = 0; at < input.length; ) {
    const end = at + 1 + n(9);
    transcript.write(input.slice(at, end));
    at = end;
  }
  const lines = [];
  for (let number = 0; number < transcript.end; number += 1) {
    const { text, runs } = transcript.line(number);
    const seen = [];
    for (let index = 0, cell = 0; index < text.length; index += 1) {
      let style = 0;
      for (let run = 0; run < runs.length && runs[run] <= index; run += 2) style = runs[run + 1];
      const { foreground, flags } = transcript.styles.get(style);
      if (text[index] !== " ") seen.push(`${cell} ${text[index]} ${foreground} ${flags}`);
      cell += "日本".includes(text[index]) ? 2 : 1;
    }
    lines.push(seen);
  }
  return lines;
}

async function ofXterm(input) {
  const terminal = new Terminal({ cols: 200, rows: 60, convertEol: true, allowProposedApi: true });
  await new Promise((done) => terminal.write(input, done));
  const { active } = terminal.buffer;
  const lines = [];
  for (let number = 0; number < active.length; number += 1) {
    const seen = [];
    for (let at = 0; at < 200; at += 1) {
      const cell = active.getLine(number).getCell(at);
      const color = cell.isFgDefault() ? -1 : cell.getFgColor();
      const characters = cell.getChars();
      if (characters.trim()) seen.push(`${at} ${characters} ${color} ${cell.isBold() ? 1 : 0}`);
    }
    lines.push(seen);
  }
  terminal.dispose();
  return lines;
}

function trimmed(lines) {
  return JSON.stringify(lines.slice(0, lines.findLastIndex((line) => line.length > 0) + 1));
}

for (let seed = 1; seed <= Number(rounds); seed += 1) {
  const n = chance(seed);
  const atoms = Array.from({ length: 1 + n(25) }, () => ATOMS[n(ATOMS.length)](n));
  const input = `\x1b7${atoms.join("")}`;
  const ours = trimmed(ofLog(input));
  const theirs = trimmed(await ofXterm(input));
  if (ours !== theirs) {
    console.log(`${JSON.stringify(input)}\n  log:   ${ours}\n  xterm: ${theirs}`);
    process.exitCode = 1;
  }
}
