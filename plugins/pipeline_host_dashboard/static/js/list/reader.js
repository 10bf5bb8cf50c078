/** Reads rows into a model, page by page, and misses nothing that is told meanwhile. */

import { batches } from "./asked.js";
import { toRequest } from "./filters.js";

const PAGE = 50;
const PARTS = 100;
/** More rows than these are read in several pages. */
const MOST_AT_ONCE = 300;
const ASKED_AT_ONCE = 100;
/** How many characters of an address ids may take: servers refuse a line of more than 8 KiB. */
const ADDRESS_ROOM = 6000;

export class Reader {
  #api;
  #apply;
  /** For each reading that goes on, what was told meanwhile. */
  #meanwhile = new Set();

  /** @param {(model: object, message: object) => void} apply takes a message into a model */
  constructor(api, apply) {
    this.#api = api;
    this.#apply = apply;
  }

  /** Takes a message, for those readings that go on. */
  hear(message) {
    for (const heard of this.#meanwhile) heard.push(message);
  }

  counts(model, signal) {
    return this.#api.counts(toRequest(model.filters), { signal });
  }

  async rowsOf(ids, query, signal) {
    const found = [];
    const room = ADDRESS_ROOM - new URLSearchParams(query).toString().length;
    for (const batch of batches(ids, ASKED_AT_ONCE, room))
      found.push(...(await this.#api.rowsOf(batch, query, { signal })));
    return found;
  }

  /** Reads a group's next pages, down to so many rows. */
  async group(model, status, depth, signal) {
    const query = { ...toRequest(model.filters), status, top: !model.flat || null };
    await this.#pages(model, model.pager(status), query, { least: PAGE, depth, signal });
  }

  /** Reads the next pages of what belongs to a row, down to so many. */
  async parts(model, parent, depth, signal) {
    await this.#pages(model, model.parts(parent), { parent }, { least: PARTS, depth, signal });
  }

  /** Pages that can't be read stay `loading`: whoever asked sees to it that they come. */
  async #pages(model, pager, query, { least, depth, signal }) {
    pager.loading = true;
    do {
      const limit = Math.min(MOST_AT_ONCE, Math.max(least, depth - pager.count));
      const reading = () => this.#api.rows({ ...query, limit, cursor: pager.cursor }, { signal });
      await this.upToDate(model, signal, reading, (page) => {
        const { q } = query;
        for (const row of page.processes) model.put(q ? { ...row, found: q } : row);
        // The server has looked for them: what these belong to isn't listed.
        if (query.top) model.miss(page.processes.flatMap((row) => row.parentProcessId ?? []));
        pager.take(page);
      });
    } while (!pager.done && pager.count < depth);
    pager.loading = false;
  }

  /** Takes an answer, and then what was told while it was on its way, which may be newer. */
  async upToDate(model, signal, read, take) {
    const heard = [];
    this.#meanwhile.add(heard);
    try {
      const answer = await read();
      signal.throwIfAborted();
      take(answer);
      for (const message of heard) this.#apply(model, message);
    } finally {
      this.#meanwhile.delete(heard);
    }
  }
}
