/** The lines of an output that can't change any more, kept in as few bytes as can be. */

const MOST_BYTES = 256 * 1024 * 1024;
const READ_PAGES = 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Some hundred lines: their text as UTF-8, and numbers about them. */
class Page {
  #runs;
  #runEnds = null;
  #cols = 0;
  #rows = 0;

  constructor(lines, first) {
    this.first = first;
    this.count = lines.length;
    this.bytes = encoder.encode(lines.map((line) => line.text).join("\n"));
    this.widths = new Uint32Array(lines.length);
    this.times = new Float64Array(lines.length);
    const ends = new Uint32Array(lines.length);
    const runs = [];
    for (let at = 0; at < lines.length; at += 1) {
      const line = lines[at];
      this.widths[at] = line.width;
      this.times[at] = line.time;
      for (const number of line.runs) runs.push(number);
      ends[at] = runs.length;
    }
    this.#runs = new Uint32Array(runs);
    if (runs.length > 0) this.#runEnds = ends;
  }

  get end() {
    return this.first + this.count;
  }

  /** The lines' text, with line feeds between them. */
  text() {
    return decoder.decode(this.bytes);
  }

  /** The runs of the line at `at`, see `Line`. */
  runs(at) {
    if (this.#runEnds === null) return this.#runs;
    return this.#runs.subarray(at === 0 ? 0 : this.#runEnds[at - 1], this.#runEnds[at]);
  }

  /** How many rows of so many cells its lines fill. */
  rows(cols) {
    if (this.#cols !== cols) {
      this.#cols = cols;
      this.#rows = 0;
      for (const width of this.widths) this.#rows += rowsOf(width, cols);
    }
    return this.#rows;
  }
}

/** How many rows of so many cells a line fills; at least one. */
export function rowsOf(width, cols) {
  return width <= cols ? 1 : Math.ceil(width / cols);
}

/** Pages in order. Where there is too much, the oldest are dropped. */
export class Pages {
  all = [];
  /** How many lines were dropped. */
  dropped = 0;
  /** The most cells that a line takes. */
  widest = 0;

  #most;
  #bytes = 0;
  #read = new Map();

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /** The number of the line after the last one. */
  get end() {
    return this.all.at(-1)?.end ?? this.dropped;
  }

  add(lines) {
    const page = new Page(lines, this.end);
    this.all.push(page);
    this.#bytes += page.bytes.length;
    for (const width of page.widths) this.widest = Math.max(this.widest, width);
    while (this.#bytes > this.#most && this.all.length > 1) {
      const [gone] = this.all.splice(0, 1);
      this.#bytes -= gone.bytes.length;
      this.#read.delete(gone);
      this.dropped = gone.end;
    }
  }

  /** The place among the pages of the one with line `number`. */
  find(number) {
    let low = 0;
    let high = this.all.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.all[middle].first <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** A line as `Line` has it, but for its `stamp`, which is 0. */
  line(number) {
    const page = this.all[this.find(number)];
    const at = number - page.first;
    return {
      text: this.#texts(page)[at],
      width: page.widths[at],
      runs: page.runs(at),
      time: page.times[at],
      stamp: 0,
    };
  }

  #texts(page) {
    let texts = this.#read.get(page);
    if (texts) this.#read.delete(page);
    else texts = page.text().split("\n");
    this.#read.set(page, texts);
    if (this.#read.size > READ_PAGES) this.#read.delete(this.#read.keys().next().value);
    return texts;
  }
}
