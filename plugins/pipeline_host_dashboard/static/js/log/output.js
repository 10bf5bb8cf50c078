/** Gets a process's output into a transcript, whatever happens to the connection. */

import { bytes, now } from "../format.js";

/** Follows one process; what is lost on the way is noted, what comes again is not shown again. */
export class Output {
  /** How the process ended, once all of its output is here. */
  done = null;
  /** Whether what came last was written before the log was opened. */
  isOld = true;

  #opened = now();
  #transcript;
  #live;
  #processId;
  #tell;
  #follower = null;
  #off;
  #resuming = false;
  /** What comes next is of another process than what is shown. */
  #anew = false;

  /**
   * @param {Transcript} transcript
   * @param {Live} live
   * @param {string} processId
   * @param {{onChange: () => void, onRestart: () => void}} tell
   */
  constructor(transcript, live, processId, tell) {
    this.#transcript = transcript;
    this.#live = live;
    this.#processId = processId;
    this.#tell = tell;
    this.#off = live.on("state", (state) => {
      if (state !== "online") this.#resuming = true;
    });
    this.#follow();
  }

  close() {
    this.#off();
    this.#follower.close();
  }

  #follow() {
    this.#resuming = false;
    this.#follower = this.#live.follow(this.#processId, {
      times: true,
      onChunk: (chunk) => this.#chunk(chunk),
      onGap: (gap) => this.#gap(gap),
      onDone: (done) => this.#end(done),
    });
  }

  /**
   * Says that the process is there. If it wasn't when its output was asked for, it is followed now;
   * what is shown gives way to the first that comes, or at once to a process that is surely
   * another one.
   */
  present(isAnother) {
    if (!this.done || this.done.status) return;
    this.done = null;
    this.#anew = true;
    if (isAnother) this.#clear();
    this.#follow();
  }

  #clear() {
    this.#anew = false;
    this.#transcript.clear();
    this.#tell.onRestart();
  }

  #chunk(chunk) {
    if (this.#anew) this.#clear();
    this.#resuming = false;
    this.isOld = chunk.time < this.#opened;
    this.#transcript.write(chunk.content, chunk);
    this.#tell.onChange();
  }

  /**
   * Output is missing. Right after a connection was taken up again, that can also say that it
   * couldn't be, and all comes once more: then it begins anew.
   */
  #gap({ missingBytes }) {
    if (this.#resuming) {
      this.#clear();
      this.#follow();
    } else if (missingBytes > 0) {
      this.#transcript.gap(`${bytes(missingBytes)} of output are no longer there`);
      this.#tell.onChange();
    }
  }

  #end(done) {
    if (this.#anew && done.status) this.#clear();
    this.done = done;
    this.#tell.onChange();
  }
}
