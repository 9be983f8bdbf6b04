// The page of one incident: how it stands, what may be the cause, what happened, and what to do.

import { Chart } from "./chart.js";
import { h, patch } from "./dom.js";
import { capital, clockTime, duration, fullTime, number, plural, serviceName } from "./format.js";
import { icon } from "./icons.js";
import { isOpen, severityTag, severityTone, statusTag } from "./incident_words.js";
import { get, now, range } from "./live.js";
import { lasting, link, moment } from "./parts.js";

const POINTS = 160;
const MOST_SERIES = 4;
const MOST_ALERTS = 60;
const FIRST_LINES = 80;
const EVERY_MS = 10_000;

let id = null;
let record = null;
let trouble = null;
let shownAbout = "all";
let allLines = false;
let charts = new Map();
let timer = null;

export const incidentPage = {
  show(rest) {
    id = rest;
    record = trouble = null;
    shownAbout = "all";
    allLines = false;
    draw();
    refresh();
    clearInterval(timer);
    timer = setInterval(() => record && isOpen(record) && !document.hidden && drawCharts(), EVERY_MS);
  },
  leave() {
    clearInterval(timer);
    for (const { chart } of charts.values()) chart.observer.disconnect();
    charts = new Map();
    id = record = null;
    patch(document.getElementById("page"));
  },
  refresh,
  /** The incident that is shown; null while it is read. */
  record: () => record,
};

let reading = false;
let again = false;

/** Read the incident anew. */
export async function refresh() {
  if (id === null) return;
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  const asked = id;
  try {
    const fresh = await get(`incidents/${encodeURIComponent(asked)}`);
    if (asked === id) [record, trouble] = [fresh, null];
  } catch (error) {
    if (asked === id) trouble = error;
  } finally {
    reading = false;
  }
  draw();
  drawCharts();
  if (again) {
    again = false;
    refresh();
  }
}

function draw() {
  const page = document.getElementById("page");
  patch(page, h("p", { class: "back", "data-key": "back" }, h("a", { href: "#" }, icon("back"), " Overview"), h("a", { href: "#incidents/all" }, "All incidents")), record ? whole(record) : h("section", { class: "card", "data-key": "waiting" }, trouble ? missing(trouble) : h("p", { class: "quiet" }, "Reading the incident…")));
}

function missing(error) {
  return [h("h1", { class: "incident-title" }, "There is nothing to show"), h("p", {}, capital(error.message)), error.remedy ? h("p", { class: "quiet" }, capital(error.remedy)) : null];
}

function whole(one) {
  return [
    head(one),
    h(
      "div",
      { class: "incident-parts", "data-key": "parts" },
      h("div", { class: "incident-side", "data-key": "side" }, suspects(one), alerts(one), plots(one)),
      timeline(one),
    ),
  ];
}

function head(one) {
  return h(
    "section",
    { class: `card incident-head ${isOpen(one) ? "is-open" : ""}`, "data-key": "head", "aria-labelledby": "incident-title" },
    h("p", { class: "incident-tags" }, h("span", { class: "quiet" }, `Incident ${one.id}`), statusTag(one), severityTag(one.severity)),
    h("h1", { class: "incident-title", id: "incident-title" }, one.title),
    h(
      "p",
      { class: "row-facts incident-facts" },
      serviceName(one) ? h("span", {}, h("b", {}, serviceName(one))) : null,
      h("span", {}, "opened ", moment(one.opened_at)),
      h("span", {}, one.resolved_at === null ? ["lasts ", h("b", {}, lasting(one.opened_at, null))] : ["lasted ", h("b", {}, lasting(one.opened_at, one.resolved_at))]),
      h("span", {}, one.owner ? ["with ", h("b", {}, one.owner)] : isOpen(one) ? h("b", { class: "bad" }, "nobody works on it") : "without owner"),
      one.merged.length ? h("span", {}, "took in ", one.merged.map((number) => h("a", { href: `#incident/${number}` }, `#${number} `))) : null,
      one.merged_into ? h("span", {}, "is part of ", h("a", { href: `#incident/${one.merged_into}` }, `incident ${one.merged_into}`)) : null,
    ),
    track(one),
    one.merged_into ? null : buttons(one),
  );
}

function track(one) {
  const steps = [
    ["First sign", Math.min(one.started_at, ...one.alert_details.map((alert) => alert.active_since || one.started_at)), null],
    ["Detected", one.opened_at, null],
    ["Acknowledged", one.acknowledged_at, one.opened_at],
    ["Mitigated", one.mitigated_at, one.opened_at],
    ["Resolved", one.resolved_at, one.opened_at],
    ["Reviewed", one.reviewed_at, null],
  ].filter(([name, time]) => name !== "Mitigated" || time !== null || isOpen(one));
  return h(
    "ol",
    { class: "track", "aria-label": "How far it is" },
    steps.map(([name, time, since]) =>
      h(
        "li",
        { class: time === null ? "to-come" : "done" },
        h("span", { class: "track-name" }, name),
        h("span", { class: "track-time", title: time === null ? null : fullTime(time) }, time === null ? "–" : since === null ? clockTime(time) : `after ${duration(time - since)}`),
      ),
    ),
  );
}

const NEXT = { open: "acknowledge", acknowledged: "resolve", mitigated: "resolve", resolved: "review" };

const BUTTONS = [
  ["acknowledge", "Acknowledge", (one) => one.status === "open"],
  ["mitigate", "Mitigated", (one) => one.status === "open" || one.status === "acknowledged"],
  ["resolve", "Resolve", isOpen],
  ["review", "Close the review", (one) => !isOpen(one)],
  ["note", "Add a note", () => true],
  ["assign", "Assign", () => true],
  ["severity", "Severity", isOpen],
  ["merge", "Merge", () => true],
  ["split", "Split", (one) => one.alerts.length > 1],
  ["reopen", "Reopen", (one) => !isOpen(one)],
];

function buttons(one) {
  return h(
    "div",
    { class: "incident-buttons" },
    BUTTONS.filter(([, , fits]) => fits(one)).map(([action, words]) => h("button", { type: "button", "data-key": action, "data-action": action, "data-incident": one.id, class: NEXT[one.status] === action ? "primary" : null }, words)),
    isOpen(one) ? null : h("a", { class: "button", "data-key": "report", href: `/api/watchkeeper/v1/incidents/${one.id}/review?format=html`, target: "_blank", rel: "noopener" }, "Read the review"),
  );
}

function suspects(one) {
  return h(
    "section",
    { class: `card suspects ${one.suspects.length ? "has-suspect" : ""}`, "data-key": "suspects", "aria-labelledby": "suspects-title" },
    h("h2", { id: "suspects-title" }, one.suspects.length ? "Suspect" : "No suspect"),
    one.suspects.length
      ? h("ul", {}, one.suspects.map((text, index) => h("li", { class: index === 0 ? "first" : null }, icon("warn"), h("span", {}, capital(text)))))
      : h("p", { class: "quiet small" }, "No release, operation or change of the configuration was seen shortly before."),
  );
}

function alerts(one) {
  const firing = one.alert_details.filter((alert) => alert.resolved_at === null).length;
  return h(
    "section",
    { class: "card", "data-key": "alerts", "aria-labelledby": "incident-alerts-title" },
    h("div", { class: "heading" }, h("h2", { id: "incident-alerts-title" }, "Alerts"), h("span", { class: "quiet small" }, firing ? `${firing} of ${one.alert_details.length} firing` : plural(one.alert_details.length, "alert"))),
    one.alert_details.length === 0
      ? h("p", { class: "quiet small" }, "A person opened it; no alert tells of it.")
      : h("ul", { class: "rows" }, one.alert_details.slice(0, MOST_ALERTS).map(alert)),
    one.alert_details.length > MOST_ALERTS ? h("p", { class: "quiet small more" }, `and ${plural(one.alert_details.length - MOST_ALERTS, "more alert")}: watchkeeper incident show ${one.id}`) : null,
  );
}

const OWN_LABELS = ["alertname", "severity", "service", "environment"];

function alert(one) {
  const calm = one.resolved_at !== null;
  const bad = severityTone(one.severity) === "critical";
  const labels = Object.entries(one.labels).filter(([name]) => !OWN_LABELS.includes(name));
  return h(
    "li",
    { class: `row ${calm ? "calm" : ""}`, "data-key": one.id },
    h("span", { class: `row-sign ${calm ? "good" : bad ? "bad" : "warn"}` }, icon(calm ? "good" : bad ? "bad" : "warn")),
    h(
      "div",
      { class: "row-body" },
      h("p", { class: "row-title" }, h("strong", {}, one.name), serviceName(one.labels) ? h("span", { class: "quiet" }, serviceName(one.labels)) : null),
      h("p", { class: "row-text" }, one.annotations.summary || one.annotations.description || one.expr),
      h("p", { class: "row-facts" }, h("span", {}, capital(one.severity)), h("span", {}, calm ? ["Resolved after ", duration(one.resolved_at - one.joined_at)] : ["Firing for ", lasting(one.joined_at, null)]), h("span", {}, "value ", h("b", {}, number(one.value))), link(one.annotations.runbook_url, "Runbook")),
      labels.length ? h("p", { class: "labels" }, labels.map(([name, value]) => h("code", {}, `${name}=${value}`))) : null,
    ),
  );
}

// What the alerts look at.

function plots(one) {
  if (one.plots.length === 0) return null;
  return h("section", { class: "card", "data-key": "plots", "aria-labelledby": "plots-title" }, h("h2", { id: "plots-title" }, "What the alerts look at"), h("div", { class: "incident-charts", "data-key": "charts" }, one.plots.map((plot, index) => chartOf(plot, index))));
}

function chartOf(plot, index) {
  const key = `plot-${index}-${plot.query}`;
  if (!charts.has(key)) {
    const element = h("figure", { class: "chart", "data-own": true, "data-key": key });
    const chart = new Chart(element, { title: plot.title, unit: "number" });
    chart.threshold = plot.threshold;
    charts.set(key, { element, chart, plot });
  }
  return charts.get(key).element;
}

async function drawCharts() {
  if (!record) return;
  const began = Math.min(record.started_at, record.opened_at);
  const ended = record.resolved_at ?? now();
  const margin = Math.min(3600, Math.max(120, (ended - began) / 2));
  const step = Math.max(1, Math.ceil((ended - began + 2 * margin) / POINTS));
  const end = Math.floor(Math.min(now(), ended + margin) / step) * step;
  const span = { start: Math.floor((began - margin) / step) * step, end, step };
  for (const { chart, plot } of [...charts.values()]) {
    try {
      const found = await range(plot.query, span);
      const own = found.filter(({ labels }) => Object.entries(labels).every(([name, value]) => name === "__name__" || (plot.labels[name] ?? value) === value));
      chart.marks = [[record.opened_at, "opened"], [record.resolved_at, "resolved"]].filter(([time]) => time !== null);
      chart.show({ series: own.slice(0, MOST_SERIES).map(({ points }) => ({ name: "", points })), ...span });
    } catch {
      // An expression that cannot be drawn leaves its place empty; the alert itself is above.
    }
  }
}

// The timeline.

const ABOUT = [
  ["all", "Everything", () => true],
  ["people", "People", (line) => line.about === "note" || (line.about === "status" && line.actor !== "watchkeeper")],
  ["alert", "Alerts", (line) => line.about === "alert"],
  ["change", "Changes", (line) => line.about === "change" || line.about === "operation"],
  ["notification", "Messages", (line) => line.about === "notification" || line.about === "escalation"],
];

const SIGNS = { status: ["live", "ink"], alert: ["bad", "bad"], change: ["back", "warn"], notification: ["open", "faint"], operation: ["running", "accent"], note: ["note", "accent"], escalation: ["warn", "warn"] };

function timeline(one) {
  const [, , fits] = ABOUT.find(([name]) => name === shownAbout);
  const lines = one.timeline.filter(fits).reverse();
  const shown = allLines ? lines : lines.slice(0, FIRST_LINES);
  return h(
    "section",
    { class: "card incident-timeline", "data-key": "timeline", "aria-labelledby": "timeline-title" },
    h("div", { class: "heading" }, h("h2", { id: "timeline-title" }, "Timeline"), h("span", { class: "quiet small" }, "newest first")),
    h("div", { class: "filters", role: "group", "aria-label": "What is shown" }, ABOUT.map(([name, words]) => h("button", { type: "button", "data-key": name, "data-about": name, "aria-pressed": String(name === shownAbout) }, words))),
    h("ol", { class: "story" }, days(shown)),
    shown.length < lines.length ? h("button", { type: "button", "data-about": "more" }, `Show ${plural(lines.length - shown.length, "older line")}`) : null,
    lines.length === 0 ? h("p", { class: "quiet small" }, "Nothing of that kind happened.") : null,
  );
}

function days(lines) {
  let day = null;
  return lines.flatMap((one) => {
    const date = new Date(one.time * 1000).toDateString();
    const isNew = date !== day && (day !== null || date !== new Date().toDateString());
    day = date;
    return [isNew ? h("li", { class: "story-day", "data-key": `day-${date}` }, new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" }).format(new Date(one.time * 1000))) : null, line(one)];
  });
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

function line(one) {
  const [sign, tone] = sign_of(one);
  return h(
    "li",
    { class: `story-line about-${one.about} ${one.is_suspect ? "is-suspect" : ""}`, "data-key": `line-${one.number}` },
    h("time", { class: "story-time", title: fullTime(one.time) }, clock.format(new Date(one.time * 1000))),
    h("span", { class: `story-sign ${tone}` }, icon(sign)),
    h("div", { class: "story-body" }, h("p", {}, one.text, one.is_suspect ? h("span", { class: "pill suspect" }, "suspect") : null), one.detail ? h("p", { class: one.about === "note" || one.data.note ? "story-note" : "story-detail" }, one.detail) : null),
  );
}

function sign_of(one) {
  if (/\.(resolved|reviewed|succeeded|sent|mitigated)$/.test(one.kind)) return ["good", "good"];
  if (/\.failed$|\.refused$/.test(one.kind)) return ["bad", "bad"];
  if (one.kind === "incident.opened" || one.kind === "incident.reopened") return ["bad", "bad"];
  if (/\.(pending|inactive)$/.test(one.kind)) return ["warn", "warn"];
  return SIGNS[one.about] ?? ["unknown", "faint"];
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-about]");
  if (!button || !record) return;
  if (button.dataset.about === "more") allLines = true;
  else shownAbout = button.dataset.about;
  draw();
});
