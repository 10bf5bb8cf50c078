/** Puts the page together. */

import * as api from "./api.js";
import { confirm, help, toast } from "./dialogs.js";
import { h, replace } from "./dom.js";
import * as list from "./list/index.js";
import { Live } from "./live.js";
import * as process from "./process/index.js";
import * as router from "./router.js";
import { announce, mountBanner, mountTopbar, offerReload, watchServer } from "./shell.js";
import * as shortcuts from "./shortcuts.js";
import * as timeline from "./timeline/index.js";
import { Workspaces } from "./workspaces.js";

const VIEWS = { list, process, timeline };
const TITLES = {
  list: "Processes",
  process: "Process",
  timeline: "Timeline",
  unknown: "Not found",
};
const PATIENCE = 1500;

const live = new Live();
const workspaces = new Workspaces(api, live);
const main = document.getElementById("main");
const mark = mountTopbar(document.getElementById("topbar"), live);
let mounted = null;

const context = {
  api,
  live,
  router,
  workspaces,
  announce,
  confirm,
  toast,
  shortcuts,
  /** Names the page, in the browser's tab and history. */
  setTitle(title) {
    document.title = `${title} · pipeline_host`;
  },
};

function show(route, { focus = true } = {}) {
  mounted?.unmount();
  main.replaceChildren();
  main.dataset.view = route.name;
  mark(route.name);
  context.setTitle(TITLES[route.name]);
  scrollTo(0, 0);
  mounted = VIEWS[route.name]?.mount(main, route.params, context) ?? unknown();
  if (focus) main.focus({ preventScroll: true });
}

function unknown() {
  replace(
    main,
    h(
      "div",
      { class: "empty" },
      h("h1", null, "There is nothing here"),
      h("p", null, "No page has this address. ", h("a", { href: "/" }, "See all processes")),
    ),
  );
  return null;
}

const banner = document.getElementById("banner");
mountBanner(banner, live);
watchServer(live, api, () => offerReload(banner));
shortcuts.register({ "?": { run: help, help: "This help" } }, "Everywhere");
shortcuts.start();
router.start();
router.onChange((route) => show(route));
live.start();
workspaces.refresh();
await live.ready(PATIENCE);
show(router.current(), { focus: false });
