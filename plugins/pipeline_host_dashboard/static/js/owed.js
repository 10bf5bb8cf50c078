/** Reads that must succeed: one that failed stays owed, and is tried again until it has. */

const QUIET_MS = 200;
/** How many times as long as the last answer took to wait before asking again. */
const PATIENCE = 4;
const LONGEST_QUIET = 10000;
const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30000;

/**
 * Reads something again and again, as often as news ask for it and never twice at a time.
 *
 * What failed is read again after 1 s, 2 s, 4 s … 30 s, less some chance, and at once when the page
 * is connected again. An answer that another try can't change (such as 400 or 404) is not tried
 * again by itself.
 */
export class Owed {
  #read;
  #onFailure;
  #off;
  #running = null;
  #timer = null;
  #again = false;
  #failures = 0;
  #quietUntil = 0;
  #closed = false;

  /**
   * @param {{on: Function}} live
   * @param {(signal: AbortSignal) => Promise<void>} read reads and takes the answer
   * @param {(error: Error) => void} [onFailure] is told of the first failure in a row
   */
  constructor(live, read, onFailure = () => {}) {
    this.#read = read;
    this.#onFailure = onFailure;
    this.#off = live.on("state", (state) => {
      // A read that began before may hang for ever, or fail with the connection that was lost.
      if (state === "online" && (this.#failures > 0 || this.#running)) this.now();
    });
  }

  get isReading() {
    return this.#running !== null;
  }

  /** Reads soon; the longer answers take, the more seldom. */
  soon() {
    if (this.#closed) return;
    if (this.#running) this.#again = true;
    else this.#wait(Math.max(QUIET_MS, this.#quietUntil - performance.now()));
  }

  /** Reads at once, instead of what is being read; resolves when that has come or failed. */
  now() {
    this.#running?.abort();
    this.#failures = 0;
    return this.#run();
  }

  /** Owes nothing any more, until it is asked again. */
  stop() {
    this.#running?.abort();
    this.#running = null;
    this.#failures = 0;
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  close() {
    this.#closed = true;
    this.#off();
    this.stop();
  }

  #wait(milliseconds) {
    this.#timer ??= setTimeout(() => this.#run(), milliseconds);
  }

  async #run() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#again = false;
    const running = (this.#running = new AbortController());
    const begin = performance.now();
    let failure = null;
    try {
      await this.#read(running.signal);
    } catch (error) {
      failure = error;
    }
    if (this.#running !== running) return;
    this.#running = null;
    const end = performance.now();
    this.#quietUntil = end + Math.min(LONGEST_QUIET, PATIENCE * (end - begin));
    if (failure) this.#fail(failure);
    else this.#failures = 0;
    if (this.#again) this.soon();
  }

  #fail(error) {
    if (error.status === undefined && error.name !== "AbortError") throw error;
    const delay = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures);
    if (!isFinal(error)) this.#wait(delay * (0.5 + Math.random() / 2));
    this.#failures += 1;
    if (this.#failures === 1) this.#onFailure(error);
  }
}

/** Whether another try would be answered in the same way. */
export function isFinal({ status }) {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
