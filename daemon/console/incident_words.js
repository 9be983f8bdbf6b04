// What the pages and lists of incidents share.

import { h } from "./dom.js";
import { capital, duration } from "./format.js";
import { icon } from "./icons.js";

export const CLOSED = ["resolved", "reviewed"];

export function isOpen({ status }) {
  return !CLOSED.includes(status);
}

export function severityTone(severity) {
  return severity === "critical" || severity === "high" ? "critical" : severity === "medium" ? "medium" : "low";
}

/** A severity as a small label. */
export function severityTag(severity) {
  return h("span", { class: `pill severity-${["critical", "high", "medium", "low"].includes(severity) ? severity : "low"}` }, capital(severity));
}

/** A status as a small label. */
export function statusTag(one) {
  const word = one.merged_into ? "merged" : one.status;
  const signs = { open: "bad", acknowledged: "running", mitigated: "warn", resolved: "good", reviewed: "good", merged: "skipped" };
  return h("span", { class: `pill status-${signs[word] ?? "skipped"}` }, icon(signs[word] ?? "unknown"), capital(word));
}

/** A length of time for a figure; a dash where there is none. */
export function figure(spread) {
  return spread.median === null ? "–" : duration(spread.median);
}
