/** What surrounds every view: the bar at the top, the banner, the words for screen readers. */

import { h, replace, setProp } from "./dom.js";
import { time } from "./format.js";
import { help } from "./dialogs.js";
import { icon } from "./icons.js";
import { Owed } from "./owed.js";
import { nextTheme, setTheme, theme } from "./theme.js";

const BANNER_DELAY = 800;
const THEMES = { auto: "auto", light: "sun", dark: "moon" };

/** Builds the bar; returns what marks the view that is shown. */
export function mountTopbar(bar, live) {
  const links = {
    list: h("a", { href: "/", class: "nav-link" }, icon("list"), h("span", null, "Processes")),
    timeline: h(
      "a",
      { href: "/timeline", class: "nav-link" },
      icon("timeline"),
      h("span", null, "Timeline"),
    ),
  };
  replace(
    bar,
    h(
      "a",
      { href: "/", class: "brand", "aria-label": "pipeline_host, all processes" },
      h("span", { class: "brand-mark", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
      h("span", { class: "brand-name", "aria-hidden": "true" }, "pipeline_host"),
    ),
    h("nav", { class: "nav", "aria-label": "Views" }, links.list, links.timeline),
    h(
      "div",
      { class: "topbar-end" },
      liveState(live),
      themeButton(),
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          title: "Keyboard shortcuts (?)",
          "aria-label": "Keyboard shortcuts",
          on: { click: help },
        },
        icon("help"),
      ),
    ),
  );
  return (name) => {
    for (const [view, link] of Object.entries(links)) {
      setProp(link, "aria-current", view === name ? "page" : null);
    }
  };
}

function liveState(live) {
  const label = h("span", { class: "live-label" });
  const element = h(
    "span",
    { class: "live-state" },
    h("span", { class: "live-dot", "aria-hidden": "true" }),
    label,
  );
  const show = () => {
    element.dataset.state = live.state;
    label.textContent = { connecting: "Connecting", online: "Live", offline: "Offline" }[
      live.state
    ];
    setProp(
      element,
      "title",
      live.state === "online" && live.transport === "eventsource"
        ? "Live, over Server-Sent Events"
        : null,
    );
  };
  live.on("state", show);
  show();
  return element;
}

function themeButton() {
  const button = h("button", {
    type: "button",
    class: "icon-button",
    on: {
      click: () => {
        setTheme(nextTheme());
        show();
      },
    },
  });
  const show = () => {
    replace(button, icon(THEMES[theme()]));
    setProp(button, "aria-label", `Theme: ${theme()}. Change to ${nextTheme()}`);
    setProp(button, "title", `Theme: ${theme()}`);
  };
  show();
  return button;
}

/** Says when the page is offline, and that what it shows is old then. */
export function mountBanner(banner, live) {
  let timer = null;
  let since = null;
  const show = () => {
    banner.hidden = false;
    const when = time(since);
    replace(
      banner,
      icon("offline"),
      h(
        "span",
        null,
        h("strong", null, "Offline."),
        ` What you see is as of ${when} and may be old. Trying to reconnect…`,
      ),
      h(
        "button",
        { type: "button", class: "button small", on: { click: () => live.retryNow() } },
        "Try now",
      ),
    );
  };
  live.on("state", (state) => {
    document.documentElement.toggleAttribute("data-stale", state === "offline");
    if (state === "online") {
      clearTimeout(timer);
      timer = since = null;
      banner.hidden = true;
      replace(banner);
    } else if (state === "offline" && since === null) {
      since = new Date();
      timer = setTimeout(show, BANNER_DELAY);
    }
  });
}

/** Notices, whenever the connection comes back, that the server has other data or another page. */
export function watchServer(live, api, onNewPage) {
  let known = null;
  const look = new Owed(live, async (signal) => {
    const about = await api.about({ signal });
    signal.throwIfAborted();
    live.expectHeartbeats(about.heartbeat);
    if (known && about.epoch !== known.epoch) live.forget();
    if (known && about.build !== known.build) onNewPage();
    known = about;
  });
  live.on("state", (state) => {
    if (state === "online" && !look.isReading) look.now();
  });
}

/** Says that a newer page is to be had; what is shown goes on until it is loaded. */
export function offerReload(banner) {
  if (document.getElementById("reload")) return;
  banner.after(
    h(
      "div",
      { class: "banner", id: "reload", role: "status" },
      icon("warning"),
      h("span", null, "The server has a newer version of this page."),
      h(
        "button",
        { type: "button", class: "button small", on: { click: () => location.reload() } },
        "Load it",
      ),
    ),
  );
}

/** Says something to screen readers. */
export function announce(message) {
  document.getElementById("announcer").textContent = message;
}
