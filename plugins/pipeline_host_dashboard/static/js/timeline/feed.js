/** Reads the processes of a timeline and keeps them up to date. */

import { Owed } from "../owed.js";
import { Spans } from "./spans.js";

const MOST_PAGES = 10;
/** Where more than these are there, because the page was left open, the newest are read anew. */
const MOST = 11000;

/**
 * Tells `onChange` whenever there is something else to draw. `state` is `loading`, `ready` or
 * `failed`, and then `error` says why; `more` is true where there are older ones than it has.
 */
export class Feed {
  spans = new Spans();
  state = "loading";
  error = null;
  more = false;
  #context;
  #workspace;
  #onChange;
  #off;
  #reading;
  #missed = [];

  /** @param {string | null} workspace the id of the only one that counts */
  constructor(context, workspace, onChange) {
    this.#context = context;
    this.#workspace = workspace;
    this.#onChange = onChange;
    this.#reading = new Owed(context.live, (signal) => this.#read(signal), (error) => this.#fail(error));
    this.#off = [
      context.live.on("change", (message) => this.#take(message)),
      context.live.on("resync", () => this.load()),
    ];
    this.load();
  }

  close() {
    this.#reading.close();
    for (const off of this.#off) off();
  }

  /** Reads everything anew; what was there stays until its page has come. */
  load() {
    if (this.spans.size === 0) this.#tell("loading");
    return this.#reading.now();
  }

  async #read(signal) {
    this.#missed = [];
    const fresh = new Spans();
    let cursor;
    for (let page = 1; ; page += 1) {
      const query = { workspace: this.#workspace ?? undefined, cursor };
      const { processes, nextCursor } = await this.#context.api.timeline(query, { signal });
      signal.throwIfAborted();
      for (const process of processes) fresh.put(process);
      cursor = nextCursor;
      this.more = cursor !== undefined;
      if (!cursor || page === MOST_PAGES) break;
      if (page === 1 && this.spans.size === 0) this.#use(fresh, "loading");
    }
    this.error = null;
    this.#use(fresh, "ready");
  }

  #fail(error) {
    this.error = error;
    this.#tell("failed");
  }

  #use(spans, state) {
    this.spans = spans;
    for (const message of this.#missed) this.#apply(message);
    this.#tell(state);
  }

  #take(message) {
    if (this.#reading.isReading) this.#missed.push(message);
    if (!this.#apply(message)) return;
    this.#tell(this.state);
    if (this.spans.size > MOST) this.#reading.soon();
  }

  #apply({ process, processId, processIds, timestamp }) {
    if (process) {
      if (this.#workspace && process.workspaceId !== this.#workspace) return false;
      this.spans.put(process, timestamp);
    } else if (processIds ?? processId) this.spans.remove(processIds ?? [processId]);
    else return false;
    return true;
  }

  #tell(state) {
    this.state = state;
    this.#onChange();
  }
}
