/** Everything live over Server-Sent Events, where a WebSocket can't be had. */

import * as api from "./api.js";
import { Silence } from "./silence.js";

const CHANGES = [
  "process-added",
  "process-updated",
  "process-removed",
  "processes-cleared",
  "workspace-registered",
];
const RETRY = 2000;

/**
 * The same as `WebSocketLink`, with a stream for changes and one for each followed process.
 *
 * `EventSource` takes some answers for final and connects again by itself after others. Here each
 * interrupted stream is closed, and a new one begins where it broke.
 */
export class EventSourceLink {
  #source;
  #tell;
  #welcomed = false;
  #silence;
  #streams = new Map();

  /**
   * @param {string | null} since the id of the last event that was seen
   * @param {object} tell as for `WebSocketLink`, and `longestSilence()`: how long a stream may say
   *   nothing, in milliseconds
   */
  constructor(since, tell) {
    this.#tell = tell;
    this.#silence = new Silence(tell.longestSilence, () => this.#close());
    this.#source = new EventSource(`/api/events${cursor(since)}`);
    this.#source.onopen = () => since !== null && this.#welcome(true);
    this.#source.onerror = () => this.#close();
    this.#on("welcome", () => this.#welcome(false));
    this.#on("heartbeat", () => {});
    this.#on("resync", () => this.#tell.onResync());
    for (const type of CHANGES) this.#on(type, ({ data }) => this.#tell.onChange(JSON.parse(data)));
  }

  follow(follow) {
    this.unfollow(follow.processId);
    const { processId, cursor: after, times } = follow;
    const query = `${cursor(after ?? null)}${times ? `${after ? "&" : "?"}times=true` : ""}`;
    const stream = { source: null, timer: null, silence: null };
    this.#streams.set(processId, stream);
    let url;
    try {
      url = api.streamUrl(processId) + query;
    } catch (error) {
      queueMicrotask(() => this.#end(processId, { error: error.message }));
      return;
    }
    stream.source = new EventSource(url);
    this.#read(stream.source, follow, stream);
  }

  unfollow(processId) {
    const stream = this.#streams.get(processId);
    stream?.source?.close();
    stream?.silence?.close();
    clearTimeout(stream?.timer);
    this.#streams.delete(processId);
  }

  #read(source, follow, stream) {
    const { processId } = follow;
    let ending = {};
    const interrupted = () => {
      source.close();
      silence.close();
      stream.timer = setTimeout(() => this.#again(follow), RETRY);
    };
    const silence = (stream.silence = new Silence(this.#tell.longestSilence, interrupted));
    const on = (type, listener) =>
      source.addEventListener(type, (event) => {
        silence.heard();
        listener(event);
      });
    const pass = (type) =>
      on(type, ({ data, lastEventId }) =>
        this.#tell.onOutput({ type, processId, cursor: lastEventId, ...JSON.parse(data) }),
      );
    pass("chunk");
    pass("gap");
    on("heartbeat", () => {});
    on("status", ({ data }) => (ending = JSON.parse(data)));
    on("done", ({ lastEventId }) => this.#end(processId, { ...ending, cursor: lastEventId }));
    source.onerror = interrupted;
  }

  async #again(follow) {
    const stream = this.#streams.get(follow.processId);
    try {
      await api.get(follow.processId);
    } catch (error) {
      if (this.#streams.get(follow.processId) !== stream) return;
      if (error.status === 404) {
        this.#end(follow.processId, { error: error.message });
        return;
      }
    }
    if (stream && this.#streams.get(follow.processId) === stream) this.follow(follow);
  }

  #end(processId, ending) {
    this.unfollow(processId);
    this.#tell.onOutput({ type: "done", processId, ...ending });
  }

  #on(type, listener) {
    this.#source.addEventListener(type, (event) => {
      this.#silence.heard();
      if (event.lastEventId) this.#tell.onPlace(event.lastEventId);
      listener(event);
    });
  }

  #welcome(resumed) {
    if (this.#welcomed) return;
    this.#welcomed = true;
    this.#tell.onWelcome(resumed);
  }

  #close() {
    this.#source.close();
    this.#silence.close();
    for (const processId of [...this.#streams.keys()]) this.unfollow(processId);
    this.#tell.onClose(this.#welcomed);
  }
}

function cursor(value) {
  return value === null ? "" : `?lastEventId=${encodeURIComponent(value)}`;
}
