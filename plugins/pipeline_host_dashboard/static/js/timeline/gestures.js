/** Moving through time with a mouse, a touchpad or a finger. */

import { toTime } from "./scale.js";

const THRESHOLD = 4;
const LINE = 16;

/**
 * Dragging the chart pans, the wheel pans with Shift and zooms with Ctrl (as pinching a touchpad
 * does); without either it scrolls the rows. Two fingers zoom.
 */
export class Gestures {
  #element;
  #marks;
  #actions;
  #fingers = new Map();
  #begun = null;
  #dragging = false;
  #off = new AbortController();

  /**
   * @param {HTMLElement} element what is listened to
   * @param {HTMLElement} marks what is as wide as the time that is in view
   */
  constructor(element, marks, actions) {
    this.#element = element;
    this.#marks = marks;
    this.#actions = actions;
    const { signal } = this.#off;
    const on = (event, listener, options) => element.addEventListener(event, listener, { signal, ...options });
    on("wheel", (event) => this.#wheel(event), { passive: false });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) on(end, (event) => this.#up(event));
    on("click", (event) => this.#click(event), { capture: true });
    on("dragstart", (event) => event.preventDefault());
  }

  unmount() {
    this.#off.abort();
  }

  #wheel(event) {
    const { frame, width, pan, zoom } = this.#actions;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(1.0025 ** (delta(event, event.deltaY)), this.#timeAt(event.clientX));
      return;
    }
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (!sideways || (!event.shiftKey && Math.abs(event.deltaX) < Math.abs(event.deltaY))) return;
    event.preventDefault();
    const { from, to } = frame();
    pan((delta(event, sideways) / width()) * (to - from));
  }

  #down(event) {
    if (event.pointerType === "mouse" && (event.button !== 0 || !event.target.closest(".tl-track, .tl-marks, .tl-canvas"))) return;
    this.#fingers.set(event.pointerId, event.clientX);
    this.#begun = event.clientX;
    if (this.#fingers.size === 1) this.#dragging = false;
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (before === undefined || !this.#actions.frame()) return;
    if (!this.#dragging) {
      if (Math.abs(event.clientX - this.#begun) < THRESHOLD && this.#fingers.size === 1) return;
      this.#dragging = true;
      this.#element.setPointerCapture(event.pointerId);
      this.#element.dataset.dragging = "";
    }
    if (this.#fingers.size === 2) this.#pinch(event);
    else this.#pan(before - event.clientX);
    this.#fingers.set(event.pointerId, event.clientX);
  }

  #pinch({ pointerId, clientX }) {
    const [other] = [...this.#fingers].filter(([id]) => id !== pointerId);
    const before = Math.abs(this.#fingers.get(pointerId) - other[1]);
    const after = Math.abs(clientX - other[1]);
    if (before < 8 || after < 8) return;
    this.#actions.zoom(before / after, this.#timeAt(other[1]));
  }

  #pan(pixels) {
    const { frame, width, pan } = this.#actions;
    const { from, to } = frame();
    if (pixels) pan((pixels / width()) * (to - from));
  }

  #up(event) {
    this.#fingers.delete(event.pointerId);
    delete this.#element.dataset.dragging;
  }

  /** The end of a drag is no click. */
  #click(event) {
    if (!this.#dragging) return;
    this.#dragging = false;
    event.preventDefault();
    event.stopPropagation();
  }

  #timeAt(clientX) {
    const { left } = this.#marks.getBoundingClientRect();
    return toTime(this.#actions.frame(), this.#actions.width(), clientX - left);
  }
}

function delta({ deltaMode }, amount) {
  return deltaMode === WheelEvent.DOM_DELTA_LINE ? amount * LINE : amount;
}
