// Alerts: what holds now, and what was resolved lately.

import { h } from "./dom.js";
import { capital, number, plural, serviceName } from "./format.js";
import { colour, icon, tone } from "./icons.js";
import { severityTone } from "./incident_words.js";
import { empty, heading, lasting, link, moment } from "./parts.js";

const RANK = { critical: 0, high: 1, medium: 2, low: 3 };
const STATES = { firing: 0, pending: 1, resolved: 2 };
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
