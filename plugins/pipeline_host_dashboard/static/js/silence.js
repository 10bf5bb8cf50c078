/** Notices a stream that died without a word. */

const LOOK = 5000;
/** A timer that is later than this was held up: by a sleeping computer, or a hidden page. */
const LATE = 1000;

/** Watches one stream until it has been silent for too long, or is closed. */
export class Silence {
  #longest;
  #onSilent;
  #heard = Date.now();
  #looked = Date.now();
  #isExcused = false;
  #timer = null;

  /**
   * @param {() => number} longest how long it may say nothing, in milliseconds
   * @param {() => void} onSilent is called once
   */
  constructor(longest, onSilent) {
    this.#longest = longest;
    this.#onSilent = onSilent;
    this.#wait();
  }

  /** The stream said something, if only a heartbeat. */
  heard() {
    this.#heard = Date.now();
    this.#isExcused = false;
  }

  close() {
    clearTimeout(this.#timer);
  }

  #wait() {
    this.#timer = setTimeout(() => this.#look(), LOOK);
  }

  /** Where this page was held up itself, what was said may lie there unread until the next look. */
  #look() {
    const now = Date.now();
    const isLate = now - this.#looked > LOOK + LATE;
    this.#looked = now;
    if (now - this.#heard <= this.#longest()) this.#wait();
    else if (isLate && !this.#isExcused) {
      this.#isExcused = true;
      this.#wait();
    } else this.#onSilent();
  }
}
