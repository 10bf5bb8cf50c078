/** Selecting text in a log of which only a part is in the page. */

/** Keeps what is selected in the page, and copies it whole. */
export class TextSelection {
  #view;
  #transcript;
  #off;
  #selected = null;

  constructor(view, transcript) {
    this.#view = view;
    this.#transcript = transcript;
    const onChange = () => {
      this.#selected = this.#range();
      if (this.#selected && view.following) view.follow(false);
    };
    const onCopy = (event) => this.#copy(event);
    document.addEventListener("selectionchange", onChange);
    view.element.addEventListener("copy", onCopy);
    this.#off = () => document.removeEventListener("selectionchange", onChange);
  }

  close() {
    this.#off();
  }

  /** The keys of the rows in which the selection begins and ends. */
  keys() {
    const range = this.#selected;
    if (!range) return [];
    const rows = [this.#view.rowAt(range.startContainer), this.#view.rowAt(range.endContainer)];
    return [...new Set(rows.filter(Boolean).map(({ key }) => key))];
  }

  #range() {
    const selection = getSelection();
    if (selection.isCollapsed || !this.#view.element.contains(selection.anchorNode)) return null;
    return selection.getRangeAt(0);
  }

  #copy(event) {
    const range = this.#range();
    const from = range && this.#place(range.startContainer, range.startOffset);
    const to = range && this.#place(range.endContainer, range.endOffset);
    if (!from || !to) return;
    event.clipboardData.setData("text/plain", this.#text(from, to));
    event.preventDefault();
  }

  /** The line and the index in its text of a place in the page. */
  #place(node, offset) {
    const row = this.#view.rowAt(node);
    if (!row) return null;
    const before = document.createRange();
    before.selectNodeContents(row.text);
    const side = before.comparePoint(node, offset);
    if (side === 0) before.setEnd(node, offset);
    return { number: row.number, index: side < 0 ? row.from : row.from + before.toString().length };
  }

  #text(from, to) {
    if (from.number === to.number) return this.#line(from.number).slice(from.index, to.index);
    const first = this.#line(from.number).slice(from.index);
    const last = this.#line(to.number).slice(0, to.index);
    const between = to.number - from.number > 1 ? [this.#transcript.text(from.number + 1, to.number)] : [];
    return [first, ...between, last].join("\n");
  }

  #line(number) {
    return this.#transcript.line(number).text;
  }
}
