// The console: shows each new overview as it arrives. All state lives in the daemon.

import { askCancel, askRollback } from "./dialog.js";
import { h, patch } from "./dom.js";
import { plural } from "./format.js";
import { keepFresh, machineGraphs, watchServices, windowSeconds } from "./graphs.js";
import { icon } from "./icons.js";
import { follow, get } from "./live.js";
import { heading, tick } from "./parts.js";
import { alerts, incidents } from "./section_alerts.js";
import { banners, foot, health, host, lost } from "./section_health.js";
import { logbook } from "./section_logbook.js";
import { onCall, readOnCall } from "./section_oncall.js";
import { operations, underWay } from "./section_operations.js";
import { services } from "./section_services.js";
import { targets } from "./section_targets.js";

const place = (id) => document.getElementById(id);

let overview = null;
let connection = "connecting";
const timelines = new Map();
let timelinesOf = 0;

function show(id, content) {
  patch(place(id), content);
}

function showAll() {
  show("link", linkState());
  show("banners", [connection === "lost" ? lost() : null, overview ? banners(overview) : null]);
  document.body.classList.toggle("lost", connection === "lost");
  if (!overview) return;
  show("host", host(overview));
  show("health", health(overview));
  show("underway", underWay(overview));
  show("incidents", incidents(overview, timelines));
  show("alerts", alerts(overview));
  showOnCall();
  show("services", services(overview));
  show("machine", [heading("machine", "This machine", `the last ${plural(windowSeconds(overview) / 60, "minute")}`), h("div", { class: "charts card", "data-key": "machine-charts" }, machineGraphs())]);
  show("targets", targets(overview));
  show("operations", operations(overview));
  show("logbook", logbook(overview));
  show("foot", foot(overview));
  document.title = title(overview);
  document.body.dataset.shown = String(overview.now);
}

function showOnCall() {
  const content = onCall();
  place("oncall").hidden = content.length === 0;
  show("oncall", content);
}

function linkState() {
  const words = { live: "Live", lost: "Connection lost", connecting: "Connecting…" };
  const kind = connection === "live" ? "good" : connection === "lost" ? "bad" : "quiet";
  return h("span", { class: `status ${kind}` }, icon(connection === "lost" ? "bad" : "live", connection === "connecting" ? "pulse" : ""), h("span", {}, words[connection]));
}

function title({ health, hostname }) {
  const sign = { healthy: "✓", degraded: "▲", unhealthy: "✕" }[health.status] ?? "?";
  return `${sign} ${hostname} – Watchkeeper`;
}

async function readTimelines() {
  const open = [...document.querySelectorAll("details[data-incident][open]")].map((element) => Number(element.dataset.incident));
  for (const id of open) {
    try {
      timelines.set(id, (await get(`incidents/${id}`)).timeline);
    } catch (error) {
      timelines.set(id, error);
    }
  }
  if (open.length && overview) show("incidents", incidents(overview, timelines));
}

function onOverview(fresh) {
  const isFirst = overview === null;
  overview = fresh;
  showAll();
  watchServices(fresh.services);
  if (isFirst) keepFresh();
  const newest = fresh.logbook.at(-1)?.number ?? 0;
  readOnCall(showOnCall, newest !== timelinesOf);
  if (newest !== timelinesOf) {
    timelinesOf = newest;
    readTimelines();
  }
}

function onLink(state) {
  if (state === connection) return;
  connection = state;
  showAll();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button || !overview) return;
  const { action, service, environment, operation } = button.dataset;
  if (action === "rollback") {
    const found = overview.services.find((one) => one.service === service && one.environment === environment);
    if (found) askRollback(found);
  } else if (action === "cancel") {
    const found = overview.operations.find((one) => String(one.id) === operation);
    if (found) askCancel(found);
  }
});

// "toggle" does not bubble, but it can be caught on its way down.
document.addEventListener("toggle", (event) => event.target.matches?.("details[data-incident][open]") && readTimelines(), true);

showAll();
follow(onOverview, onLink);
setInterval(tick, 1000);
setInterval(() => readOnCall(showOnCall), 60_000);
