/** Which rows of a long list have to be in the page. Pure. */

/**
 * @param {object} place
 * @param {number} place.top where the list begins, in pixels from the top of what is seen
 * @param {number} place.count how many rows it has
 * @param {number} place.height of each row, in pixels
 * @param {number} place.seen how high what is seen is, in pixels
 * @param {number} place.around how many more rows to have on either side
 * @returns {{first: number, last: number}} the first row, and the one after the last
 */
export function windowOf({ top, count, height, seen, around }) {
  const first = Math.floor(-top / height) - around;
  const last = Math.ceil((seen - top) / height) + around;
  const inside = (index) => Math.min(Math.max(index, 0), count);
  return { first: inside(first), last: inside(last) };
}
