/** The list of processes. */

import { h, text } from "../dom.js";

export function mount(container, params, { api, router }) {
  container.append(h("h1", null, "Processes"));
  api.list({ order: "desc" }).then(({ processes }) => {
    container.append(h("ul", null, processes.map((process) =>
      h("li", null, h("a", { href: router.processHref(process.id) }, text(process.promptPreview))))));
  });
  return { unmount() {} };
}
