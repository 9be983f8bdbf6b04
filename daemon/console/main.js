// The console: shows each new overview as it arrives. All state lives in the daemon.

import { askCancel, askRollback } from "./dialog.js";
import { ASK, askDeclare } from "./dialog_incident.js";
import { h, patch } from "./dom.js";
import { plural } from "./format.js";
import { keepFresh, machineGraphs, watchServices, windowSeconds } from "./graphs.js";
import { icon } from "./icons.js";
import { follow, get } from "./live.js";
import { incidentPage } from "./page_incident.js";
import { incidentsPage } from "./page_incidents.js";
import { heading, tick } from "./parts.js";
import { addPage, currentPage, decodeHash, route } from "./router.js";
import { alerts } from "./section_alerts.js";
import { incidents } from "./section_incidents.js";
import { banners, foot, health, host, lost } from "./section_health.js";
import { logbook } from "./section_logbook.js";
import { onCall, readOnCall } from "./section_oncall.js";
import { operations, underWay } from "./section_operations.js";
import { services } from "./section_services.js";
import { askExpire, askSilence } from "./silence_dialog.js";
import { silences } from "./section_silences.js";
import { targets } from "./section_targets.js";

const place = (id) => document.getElementById(id);

let overview = null;
let connection = "connecting";
let seenEntry = 0;

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
  show("incidents", incidents(overview, figures));
  show("alerts", alerts(overview));
  show("silences", silences(overview));
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

let figures = null;
let figuresOf = "";

/** Ask for the figures again when an incident is another than it was. */
async function readFigures() {
  const signature = overview.incidents.map(({ id, status }) => `${id}${status}`).join();
  if (signature === figuresOf) return;
  figuresOf = signature;
  try {
    figures = await get("incidents/figures", { days: 30 });
    show("incidents", incidents(overview, figures));
  } catch {
    figuresOf = "";
  }
}

function onOverview(fresh) {
  const isFirst = overview === null;
  overview = fresh;
  showAll();
  watchServices(fresh.services);
  if (isFirst) {
    keepFresh();
    askLinkedSilence();
  }
  const newest = fresh.logbook.at(-1)?.number ?? 0;
  readFigures();
  readOnCall(showOnCall, newest !== seenEntry);
  if (newest !== seenEntry) {
    seenEntry = newest;
    currentPage()?.page.refresh?.();
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
  const { action, service, environment, operation, incident } = button.dataset;
  if (action === "rollback") {
    const found = overview.services.find((one) => one.service === service && one.environment === environment);
    if (found) askRollback(found);
  } else if (action === "cancel") {
    const found = overview.operations.find((one) => String(one.id) === operation);
    if (found) askCancel(found);
  } else if (action === "declare") {
    askDeclare((made) => {
      location.hash = `#incident/${made.id}`;
    });
  } else if (action in ASK) {
    const shown = incidentPage.record();
    const found = String(shown?.id) === incident ? shown : overview.incidents.find((one) => String(one.id) === incident);
    if (found) ASK[action](found, (after) => didToIncident(action, after));
  } else if (action === "silence") {
    const found = overview.alerts.find((one) => one.id === button.dataset.alert);
    if (found) askSilence(found, overview.alerts);
  } else if (action === "expire") {
    const found = overview.silences.find((one) => one.id === button.dataset.silence);
    if (found) askExpire(found);
  }
});

/** Show at once what was done; the overview follows by itself. */
function didToIncident(action, after) {
  if (action === "merge" || action === "split") location.hash = `#incident/${after.id}`;
  currentPage()?.page.refresh?.();
}

/** Open the form for a silence that a link in a notification names by its labels: #silence/new?filter={a="b"}. */
function askLinkedSilence() {
  const match = /^#silence\/new\?filter=(.*)$/.exec(location.hash);
  if (!match || !overview) return;
  history.replaceState(null, "", "#alerts");
  const pairs = [...decodeHash(match[1]).matchAll(/([^\s{},="]+)="((?:[^"\\]|\\.)*)"/g)];
  const labels = Object.fromEntries(pairs.map(([, name, value]) => [name, value.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter))]));
  if (pairs.length) askSilence({ name: labels.alertname ?? "these alerts", labels }, overview.alerts);
}

addPage("incident", incidentPage);
addPage("incidents", incidentsPage);
showAll();
follow(onOverview, onLink);
route();
window.addEventListener("hashchange", askLinkedSilence);
setInterval(tick, 1000);
setInterval(() => readOnCall(showOnCall), 60_000);
