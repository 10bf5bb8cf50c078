/** Scrolling through more than a browser can make an element high. */

/** The height that an element gets at most, in pixels; Firefox draws up to 17,800,000. */
export const TALLEST = 8_000_000;
/** Near both ends the scroll bar is true to the pixel. */
const ENDS = 1_000_000;

/**
 * Where a view is in a content of any height, and where its scroll bar is.
 *
 * A content that is too high is scrolled by a lower element. Small movements of that move the
 * content just as far; a leap, as by dragging the scroll bar, goes to the same part of the content.
 * Small movements let the two drift apart, which `settle` sets right when the scrolling has stopped.
 */
export class Scroll {
  /** The first pixel of the content that is seen. */
  top = 0;
  /** The height of the content, and of the view, in pixels. */
  content = 0;
  view = 0;

  #bar = 0;

  /** The height that the scrolled element has to have. */
  get height() {
    return Math.min(this.content, TALLEST);
  }

  /** Where the scroll bar was set to, or was seen. */
  get bar() {
    return this.#bar;
  }

  /** The greatest `top`. */
  get end() {
    return Math.max(0, this.content - this.view);
  }

  get isAtEnd() {
    return this.top >= this.end - 1;
  }

  /** Changes the heights; what is seen stays, as far as it is still there. */
  resize(content, view) {
    this.content = content;
    this.view = view;
    this.top = Math.min(this.top, this.end);
    if (this.#isTrue()) this.#bar = this.top;
  }

  /** Takes a position of the scroll bar; returns whether it moved. */
  scrolled(bar) {
    const moved = bar - this.#bar;
    if (moved === 0) return false;
    this.#bar = bar;
    const leap = Math.abs(moved) > 2 * this.view || this.#isTrue();
    this.top = clamp(leap ? this.#contentAt(bar) : this.top + moved, this.end);
    if (bar <= 0) this.top = 0;
    else if (bar >= this.height - this.view - 0.5) this.top = this.end;
    return true;
  }

  /** Notes where the scroll bar came to stand when it was set: browsers round. */
  set(bar) {
    this.#bar = bar;
  }

  /** Goes to a pixel of the content; returns where the scroll bar has to be. */
  go(top) {
    this.top = clamp(Math.round(top), this.end);
    return this.settle();
  }

  /** Where the scroll bar has to be for what is seen. */
  settle() {
    this.#bar = this.#isTrue() ? this.top : Math.round(this.#barAt(this.top));
    return this.#bar;
  }

  #isTrue() {
    return this.content <= TALLEST;
  }

  #contentAt(bar) {
    const longest = this.height - this.view;
    if (this.#isTrue() || bar <= ENDS) return bar;
    if (bar >= longest - ENDS) return this.end - (longest - bar);
    return ENDS + ((bar - ENDS) * (this.end - 2 * ENDS)) / (longest - 2 * ENDS);
  }

  #barAt(top) {
    const longest = this.height - this.view;
    if (top <= ENDS) return top;
    if (top >= this.end - ENDS) return longest - (this.end - top);
    return ENDS + ((top - ENDS) * (longest - 2 * ENDS)) / (this.end - 2 * ENDS);
  }
}

function clamp(value, most) {
  return Math.max(0, Math.min(value, most));
}
