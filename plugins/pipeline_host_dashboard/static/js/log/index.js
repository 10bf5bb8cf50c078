/** A process's output, live. */

import { h } from "../dom.js";

export function mountLog(container, { processId, live }) {
  const output = h("pre", null);
  container.append(output);
  const follower = live.follow(processId, {
    onChunk: ({ content }) => output.append(content),
    onGap: () => output.append("…"),
    onDone: ({ status }) => output.append(`[${status}]`),
  });
  return { unmount: () => follower.close(), update() {} };
}
