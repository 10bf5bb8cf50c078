/** Finding a text in an output, however long it is and while it grows. */

/** As many matches are counted and can be gone to. */
export const MOST_MATCHES = 100_000;

/** One search: for one text, in one transcript. */
export class Search {
  /** Finds the text in a line, for marking: a global regular expression. */
  pattern;

  #transcript;
  #lines = [];
  #starts = [];
  #next;
  #live = { version: -1, matches: [] };

  /**
   * @param {Transcript} transcript
   * @param {string} text what to look for, to be taken as it is, case ignored
   */
  constructor(transcript, text) {
    this.#transcript = transcript;
    this.#next = transcript.first;
    this.pattern = new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
  }

  /** Whether everything that can't change any more was looked at. */
  get isDone() {
    return this.isFull || this.#next >= this.#transcript.live;
  }

  /** Whether there are more matches than are counted. */
  get isFull() {
    return this.#lines.length >= MOST_MATCHES;
  }

  /** Goes on until all was looked at, or `isOver()`, which is asked every now and then. */
  step(isOver) {
    while (!this.isDone) {
      this.#page();
      if (isOver()) return;
    }
  }

  get count() {
    return this.#lines.length + this.#inLive().length;
  }

  /** A match by its place among all: the number of its line, and its index in the line's text. */
  at(place) {
    const paged = this.#lines.length;
    if (place >= paged) return this.#inLive()[place - paged];
    return { number: this.#lines[place], start: this.#starts[place] };
  }

  /** The place of the first match at or after a position; `count` where there is none. */
  from(number, start = 0) {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const match = this.at(middle);
      if (match.number < number || (match.number === number && match.start < start)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #page() {
    const { pages, first } = this.#transcript;
    const page = pages.all[pages.find(Math.max(this.#next, first))];
    const text = page.text();
    let number = page.first;
    let begin = 0;
    for (const { index } of text.matchAll(this.pattern)) {
      for (let end; (end = text.indexOf("\n", begin)) >= 0 && end < index; begin = end + 1) number += 1;
      this.#lines.push(number);
      this.#starts.push(index - begin);
      if (this.isFull) break;
    }
    this.#next = page.end;
  }

  /** The matches in the lines that can still change. */
  #inLive() {
    const { version, live, end } = this.#transcript;
    if (!this.isDone || this.isFull) return [];
    if (this.#live.version !== version) {
      const matches = [];
      for (let number = live; number < end; number += 1) {
        const { text } = this.#transcript.line(number);
        for (const { index } of text.matchAll(this.pattern)) matches.push({ number, start: index });
      }
      this.#live = { version, matches };
    }
    return this.#live.matches;
  }
}
