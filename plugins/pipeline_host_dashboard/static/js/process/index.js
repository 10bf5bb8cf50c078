/** A process's page. */

import { h, text } from "../dom.js";
import { mountLog } from "../log/index.js";

export function mount(container, { id }, context) {
  const place = h("div", null);
  container.append(h("h1", null, text(id)), place);
  const log = mountLog(place, { processId: id, process: null, live: context.live, api: context.api, context, hash: location.hash });
  return { unmount: () => log.unmount() };
}
