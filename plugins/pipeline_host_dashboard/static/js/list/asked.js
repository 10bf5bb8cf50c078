/** What messages don't tell, so that the server is asked for it. Pure. */

export class Asked {
  /** Processes that others belong to; it isn't known if they are listed. */
  parents = new Set();
  /** Rows of which more has changed than was told. */
  rows = new Set();
  /** Processes that match if what is searched for is in their prompt. */
  unknown = new Set();
  /** Groups, and expanded rows, whose next page couldn't be read. */
  pages = new Set();
  parts = new Set();
  /** Everything: `{depth, isUpdate}`, see `Feed.load`. */
  all = null;

  /** This, and what was asked for before without an answer. */
  with(before) {
    const both = new Asked();
    for (const name of ["parents", "rows", "unknown", "pages", "parts"])
      both[name] = new Set([...before[name], ...this[name]]);
    both.all = this.all ?? before.all;
    return both;
  }
}

/** Lists of at most so many ids, which take at most so many characters in an address. */
export function batches(ids, size, room) {
  const all = [];
  let left = 0;
  for (const id of ids) {
    const length = new URLSearchParams({ id }).toString().length + 1;
    if (left < length || all.at(-1).length >= size) {
      all.push([]);
      left = room;
    }
    all.at(-1).push(id);
    left -= length;
  }
  return all;
}
