// Incidents with their timelines, and alerts.

import { h } from "./dom.js";
import { capital, number, plural, serviceName } from "./format.js";
import { colour, icon, tone } from "./icons.js";
import { entryLine } from "./section_logbook.js";
import { empty, heading, lasting, link, moment, status } from "./parts.js";

const RANK = { critical: 0, high: 1, medium: 2, low: 3 };
const STATES = { firing: 0, pending: 1, resolved: 2 };
const CLOSED = ["resolved", "reviewed"];
const MOST_CLOSED = 6;
const MOST_ALERTS = 40;

export function alerts({ alerts }) {
  const sorted = [...alerts].sort((a, b) => STATES[a.state] - STATES[b.state] || RANK[a.severity] - RANK[b.severity] || b.active_since - a.active_since);
  const firing = alerts.filter((alert) => alert.state === "firing").length;
  const pending = alerts.filter((alert) => alert.state === "pending").length;
  const aside = [firing ? `${firing} firing` : null, pending ? `${pending} pending` : null].filter(Boolean).join(", ");
  return [
    heading("alerts", "Alerts", aside),
    sorted.length === 0
      ? empty("All quiet", "No rule's condition holds. CPU, memory, disks, targets and probes are watched from the start; your own rules go under thresholds or rule_files.")
      : h("ul", { class: "rows" }, sorted.slice(0, MOST_ALERTS).map(alert)),
    sorted.length > MOST_ALERTS ? h("p", { class: "quiet small more" }, `and ${plural(sorted.length - MOST_ALERTS, "more alert")}: watchkeeper alerts --all`) : null,
  ];
}

const OWN_LABELS = ["alertname", "severity", "service", "environment"];

function alert(one) {
  const text = one.annotations.summary || one.annotations.description || one.expr;
  const labels = Object.entries(one.labels).filter(([name]) => !OWN_LABELS.includes(name));
  const calm = one.state === "resolved";
  return h(
    "li",
    { class: `row ${calm ? "calm" : ""}`, "data-key": one.id },
    h("span", { class: `row-sign ${calm ? "good" : colour(one.state === "pending" ? "pending" : severityTone(one.severity))}` }, icon(calm ? "good" : one.state === "pending" ? "warn" : tone(severityTone(one.severity)))),
    h(
      "div",
      { class: "row-body" },
      h("p", { class: "row-title" }, h("strong", {}, one.name), serviceName(one.labels) ? h("span", { class: "quiet" }, serviceName(one.labels)) : null),
      h("p", { class: "row-text" }, text),
      h(
        "p",
        { class: "row-facts" },
        h("span", {}, capital(one.severity)),
        h("span", {}, capital(one.state), " ", calm ? moment(one.resolved_at) : ["for ", lasting(one.fired_at ?? one.active_since, null)]),
        h("span", {}, "value ", h("b", {}, number(one.value))),
        link(one.annotations.runbook_url, "Runbook"),
        one.silenced_by.length ? h("span", { class: "quiet" }, "Silenced") : null,
        one.state === "firing" && !one.silenced_by.length ? h("button", { type: "button", "data-action": "silence", "data-alert": one.id }, "Silence…") : null,
      ),
      labels.length ? h("p", { class: "labels" }, labels.map(([name, value]) => h("code", {}, `${name}=${value}`))) : null,
    ),
  );
}

function severityTone(severity) {
  return severity === "critical" || severity === "high" ? "critical" : severity === "medium" ? "medium" : "low";
}

/** @param timelines a Map from incident id to its logbook entries, of those that are unfolded. */
export function incidents({ incidents }, timelines) {
  const open = incidents.filter((one) => !CLOSED.includes(one.status));
  const closed = incidents.filter((one) => CLOSED.includes(one.status));
  return [
    heading("incidents", "Incidents", open.length ? `${open.length} open` : null),
    incidents.length === 0
      ? empty("No incident yet", "A critical alert opens one; alerts of the same service join it, and its timeline is kept.")
      : h("ul", { class: "rows" }, [...open, ...closed.slice(0, MOST_CLOSED)].map((one) => incident(one, timelines.get(one.id)))),
  ];
}

function incident(one, timeline) {
  const closed = CLOSED.includes(one.status);
  return h(
    "li",
    { class: `row ${closed ? "calm" : ""}`, "data-key": `incident-${one.id}` },
    h("span", { class: `row-sign ${closed ? "good" : "bad"}` }, icon(closed ? "good" : "bad")),
    h(
      "details",
      { class: "row-body", "data-incident": one.id, "data-key": `details-${one.id}` },
      h(
        "summary",
        {},
        h("p", { class: "row-title" }, h("strong", {}, one.title), icon("open", "fold")),
        h(
          "p",
          { class: "row-facts" },
          h("span", {}, `#${one.id}`),
          status(one.status),
          h("span", {}, capital(one.severity)),
          serviceName(one) ? h("span", {}, serviceName(one)) : null,
          h("span", {}, closed ? ["lasted ", lasting(one.opened_at, one.resolved_at ?? one.opened_at), ", ", moment(one.opened_at)] : ["open for ", lasting(one.opened_at, null)]),
        ),
      ),
      timeline === undefined ? h("p", { class: "quiet small timeline" }, "Reading the timeline…") : timeline instanceof Error ? h("p", { class: "bad small timeline" }, timeline.message) : h("ol", { class: "timeline" }, timeline.map(entryLine)),
    ),
  );
}
