/** Everything live over one WebSocket. */

import { setServerTime } from "./format.js";

const KEEP_ALIVE = 10000;
/** How long a server may say nothing after it was asked if it is there. */
const DEADLINE = 5000;
/** A timer that is later than this was held up: by a sleeping computer, or a hidden page. */
const LATE = 1000;
const OUTPUT = new Set(["chunk", "gap", "done"]);
const CHANGES = new Set([
  "process-added",
  "process-updated",
  "process-removed",
  "processes-cleared",
  "workspace-registered",
]);

/** One connection, from its opening to its close; it is not used again. */
export class WebSocketLink {
  #socket;
  #tell;
  #since;
  #welcomed = false;
  #pings = [];
  #timer;
  #deadline = null;
  /** Processes whose follower was closed while output may be on its way, and what to do then. */
  #draining = new Map();

  /**
   * @param {number | null} since the number of the last change that was seen
   * @param {object} tell what to call: `onWelcome(resumed)`, `onChange(message)`, `onResync()`,
   *   `onPlace(seq)`, `onOutput(message)`, `onClose(welcomed)`
   */
  constructor(since, tell) {
    this.#since = since;
    this.#tell = tell;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#socket = new WebSocket(`${scheme}//${location.host}/ws`);
    this.#socket.onopen = () => this.#send({ type: "subscribe", ...(since !== null && { since }) });
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = () => this.#close();
    this.#timer = setInterval(() => this.#keepAlive(), KEEP_ALIVE);
  }

  follow(follow) {
    const waiting = this.#draining.get(follow.processId);
    if (waiting) waiting.next = follow;
    else this.#follow(follow);
  }

  /** Stops; a new follower of the same process must not get what is still on its way. */
  unfollow(processId) {
    const waiting = this.#draining.get(processId);
    if (waiting) {
      waiting.next = null;
      return;
    }
    const state = { next: null };
    this.#draining.set(processId, state);
    this.#send({ type: "unfollow", processId });
    this.#ping(() => {
      this.#draining.delete(processId);
      if (state.next) this.#follow(state.next);
    });
  }

  #follow({ processId, cursor, times }) {
    this.#send({
      type: "follow",
      processId,
      ...(cursor && { after: cursor }),
      ...(times && { times }),
    });
  }

  #receive(message) {
    clearTimeout(this.#deadline);
    this.#deadline = null;
    if (OUTPUT.has(message.type)) {
      if (!this.#draining.has(message.processId)) this.#tell.onOutput(message);
    } else if (CHANGES.has(message.type)) {
      this.#tell.onPlace(message.seq);
      this.#tell.onChange(message);
    } else if (message.type === "welcome") {
      setServerTime(message.timestamp);
      this.#welcomed = true;
      this.#tell.onWelcome(this.#since !== null);
    } else if (message.type === "pong") this.#pings.shift()?.();
    else if (message.type === "resync") this.#tell.onResync();
  }

  /** Asks if the server is there still; whatever it says is an answer. */
  #keepAlive() {
    if (this.#socket.readyState === WebSocket.OPEN) this.#ping(() => {});
    if (this.#deadline === null) this.#expectAnswer(true);
  }

  /**
   * Notices a connection that died without a word, or was never made. Where this page was held up
   * itself, the answer may lie there unread: then it gets another while.
   */
  #expectAnswer(isPatient) {
    const due = Date.now() + DEADLINE;
    this.#deadline = setTimeout(() => {
      if (isPatient && Date.now() - due > LATE) this.#expectAnswer(false);
      else this.#giveUp();
    }, DEADLINE);
  }

  #giveUp() {
    this.#socket.onclose = null;
    this.#socket.close();
    this.#close();
  }

  #ping(then) {
    this.#pings.push(then);
    this.#send({ type: "ping" });
  }

  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #close() {
    clearInterval(this.#timer);
    clearTimeout(this.#deadline);
    this.#tell.onClose(this.#welcomed);
  }
}
