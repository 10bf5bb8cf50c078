/** What happens on the server, as it happens: one connection for the whole page. */

import { EventSourceLink } from "./live-eventsource.js";
import { WebSocketLink } from "./live-websocket.js";

const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30000;
const PATIENCE_WITH_WEBSOCKET = 2;
/** How many heartbeats in a row a stream may miss, and how long it may be silent at least. */
const MISSED_HEARTBEATS = 3;
const LEAST_SILENCE = 15000;

/**
 * Keeps a connection to the server, whatever happens to it.
 *
 * It tells, to whoever asked with `on`:
 * - `change` with each message of a process that was added, updated or removed, in order;
 * - `resync` when changes may have been missed: read anew what you show;
 * - `state` when `state` has changed: `connecting` (for the first time), `online`, `offline`.
 */
export class Live {
  state = "connecting";
  /** Over what it is connected: `websocket` or `eventsource`. */
  transport = "websocket";
  /** When it will try again, in milliseconds since 1970, while it is offline. */
  retryAt = null;

  #listeners = { change: new Set(), resync: new Set(), state: new Set() };
  #follows = new Map();
  #link = null;
  #place = null;
  #attempts = 0;
  #failures = 0;
  #timer = null;
  #used = false;
  #longestSilence = Infinity;
  #ready = Promise.withResolvers?.() ?? withResolvers();

  start() {
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retryNow();
    });
    this.#connect();
  }

  /** Resolves when it is connected, or after so many milliseconds. */
  async ready(timeout) {
    await Promise.race([this.#ready.promise, new Promise((done) => setTimeout(done, timeout))]);
    this.#used = true;
  }

  /** Calls `listener` from now on; returns how to stop that. */
  on(event, listener) {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  /** Says that nothing of what was told is true any more, as the server has other data now. */
  forget() {
    this.#place = null;
    this.#tell("resync");
  }

  /** Says after how many seconds of silence a stream sends a heartbeat, where the server tells. */
  expectHeartbeats(seconds = Infinity) {
    this.#longestSilence = Math.max(LEAST_SILENCE, MISSED_HEARTBEATS * seconds * 1000);
  }

  /** Tries again at once, if it is waiting to. */
  retryNow() {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /**
   * Tells of a process's output until it ends or the follower is closed; a lost connection is taken
   * up where it broke. There is one follower of a process: another one takes its place.
   *
   * @param {string} processId
   * @param {object} options
   * @param {string} [options.after] a cursor: only what follows it
   * @param {boolean} [options.times] with each chunk's time
   * @param {(chunk: {content: string, stream?: string, cursor: string, time?: number}) => void}
   *   options.onChunk
   * @param {(gap: {missingBytes: number, cursor: string}) => void} [options.onGap]
   * @param {(done: {status?: string, error?: string, removed?: boolean}) => void} [options.onDone]
   *   the end; without a `status` where there is no such process
   * @returns {{close: () => void}}
   */
  follow(processId, options) {
    this.#follows.get(processId)?.close();
    const follow = {
      processId,
      cursor: options.after,
      times: options.times ?? false,
      options,
      close: () => {
        if (this.#follows.get(processId) !== follow) return;
        this.#follows.delete(processId);
        this.#link?.unfollow(processId);
      },
    };
    this.#follows.set(processId, follow);
    if (this.state === "online") this.#link.follow(follow);
    return { close: follow.close };
  }

  #connect() {
    this.#timer = this.retryAt = null;
    const Link = this.transport === "websocket" ? WebSocketLink : EventSourceLink;
    const since = this.#place?.transport === this.transport ? this.#place.value : null;
    this.#link = new Link(since, {
      onWelcome: (resumed) => this.#welcome(resumed),
      onChange: (message) => this.#tell("change", message),
      onResync: () => this.#tell("resync"),
      onPlace: (value) => (this.#place = { transport: this.transport, value }),
      onOutput: (message) => this.#output(message),
      onClose: (welcomed) => this.#closed(welcomed),
      longestSilence: () => this.#longestSilence,
    });
  }

  #welcome(resumed) {
    this.#attempts = this.#failures = 0;
    this.#setState("online");
    for (const follow of this.#follows.values()) this.#link.follow(follow);
    this.#ready.resolve();
    if (!resumed && this.#used) this.#tell("resync");
    this.#used ||= this.#place !== null;
  }

  #output(message) {
    const follow = this.#follows.get(message.processId);
    if (!follow) return;
    if (message.cursor) follow.cursor = message.cursor;
    if (message.type === "chunk") follow.options.onChunk(message);
    else if (message.type === "gap") follow.options.onGap?.(message);
    else {
      this.#follows.delete(message.processId);
      follow.options.onDone?.(message);
    }
  }

  async #closed(welcomed) {
    this.#link = null;
    if (this.state === "online") this.#setState("offline");
    if (this.transport === "eventsource") this.transport = "websocket";
    else if (!welcomed && (await this.#wantsFallback())) {
      this.transport = "eventsource";
      this.#connect();
      return;
    }
    this.#wait();
  }

  /** Whether the server answers, but gives no WebSocket. */
  async #wantsFallback() {
    this.#failures += 1;
    try {
      const { status } = await fetch("/ws", { cache: "no-store" });
      const refuses = status === 404 || status === 501;
      return refuses || (status === 426 && this.#failures >= PATIENCE_WITH_WEBSOCKET);
    } catch {
      return false;
    }
  }

  #wait() {
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    const delay = longest * (0.5 + Math.random() / 2);
    this.#attempts += 1;
    this.retryAt = Date.now() + delay;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#setState("offline");
  }

  #setState(state) {
    const changed = this.state !== state;
    this.state = state;
    if (changed || state === "offline") this.#tell("state", state);
  }

  #tell(event, value) {
    for (const listener of [...this.#listeners[event]]) listener(value);
  }
}

function withResolvers() {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
}
