// Our own small signs, on a grid of 16. A status is always shown as sign, colour and word together.

import { s } from "./dom.js";

const PATHS = {
  good: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM5.4 8.2l1.8 1.8 3.4-3.7",
  warn: "M8 2.2 14.6 13.600H1.4ZM8 6.4v3.300M8 11.6v.05",
  bad: "M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.600H5.4l-3.6-3.600V5.400ZM6 6l4 4M10 6l-4 4",
  unknown: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM6.2 6.3a1.8 1.8 0 1 1 2.5 1.7c-.5.2-.7.5-.7 1M8 11v.05",
  running: "M8 4.600V8l2.3 1.500M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  skipped: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM5.5 8h5",
  back: "M3 5.5h6.5a3.5 3.5 0 0 1 0 7H6M5.5 3 3 5.5 5.5 8",
  open: "M6 3.5 10.5 8 6 12.5",
  note: "M3 2.500h10v8l-3 3H3ZM5.500 6h5M5.500 8.800h3",
  live: "M8 9.6a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.200M4.6 4.6a4.8 4.8 0 0 0 0 6.800M11.4 4.6a4.8 4.8 0 0 1 0 6.8",
};

/** Return a sign; it says nothing to a screen reader, since a word stands beside it. */
export function icon(name, extra = "") {
  return s("svg", { class: `icon ${extra}`.trim(), viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: PATHS[name] ?? PATHS.unknown }));
}

const TONES = {
  healthy: "good", up: "good", succeeded: "good", good: "good", resolved: "good", reviewed: "good", 
  degraded: "warn", pending: "warn", medium: "warn", running: "running", baking: "running", candidate: "running",
  acknowledged: "warn", mitigated: "warn", cancelled: "skipped", low: "unknown", skipped: "skipped", superseded: "skipped",
  unhealthy: "bad", down: "bad", failed: "bad", firing: "bad", critical: "bad", high: "bad", open: "bad", quarantined: "bad",
};

const COLOURS = { good: "good", warn: "warn", bad: "bad", running: "accent", skipped: "faint", unknown: "faint" };

/** Return which sign belongs to a word of the API. */
export function tone(word) {
  return TONES[word] ?? "unknown";
}

/** Return the class of its colour. */
export function colour(word) {
  return COLOURS[tone(word)];
}
