/** Processes as bars over time. */

import { h } from "../dom.js";

export function mount(container) {
  container.append(h("h1", null, "Timeline"));
  return { unmount() {} };
}
