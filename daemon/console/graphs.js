// Which graphs there are, and how they are kept up to date.

import { Chart } from "./chart.js";
import { h } from "./dom.js";
import { now, range } from "./live.js";

const LONGEST_SECONDS = 1800;
const SHORTEST_SECONDS = 120;
const POINTS = 120;
const EVERY_MS = 10_000;
const MOST_SERIES = 2;

const HOST = 'job="system"';
const MACHINE = [
  { key: "cpu", title: "CPU", unit: "percent", ceiling: 100, queries: [[`100 * (1 - avg(rate(node_cpu_seconds_total{${HOST},mode="idle"}[1m])))`, ""]] },
  { key: "memory", title: "Memory", unit: "percent", ceiling: 100, queries: [[`100 * (1 - node_memory_MemAvailable_bytes{${HOST}} / node_memory_MemTotal_bytes{${HOST}})`, ""]] },
  { key: "disk", title: "Disks", unit: "percent", ceiling: 100, queries: [[`100 * (1 - node_filesystem_avail_bytes{${HOST}} / node_filesystem_size_bytes{${HOST}})`, "mountpoint"]] },
  { key: "load", title: "Load", unit: "number", queries: [[`node_load1{${HOST}}`, "1 min"], [`node_load15{${HOST}}`, "15 min"]] },
  { key: "network", title: "Network", unit: "bytes_per_second", queries: [[`sum(rate(node_network_receive_bytes_total{${HOST},device!="lo"}[1m]))`, "in"], [`sum(rate(node_network_transmit_bytes_total{${HOST},device!="lo"}[1m]))`, "out"]] },
  { key: "io", title: "Disk traffic", unit: "bytes_per_second", queries: [[`sum(rate(node_disk_read_bytes_total{${HOST}}[1m]))`, "read"], [`sum(rate(node_disk_written_bytes_total{${HOST}}[1m]))`, "written"]] },
];

const BY = "by (service, environment)";
const REQUESTS = `sum ${BY} (rate(watchkeeper_router_requests_total[1m]))`;
const ERRORS = `sum ${BY} (rate(watchkeeper_router_requests_total{code=~"5.."}[1m]))`;
const BUCKETS = "sum by (le, service, environment) (rate(watchkeeper_router_request_duration_seconds_bucket[1m]))";
export const SERVICE = [
  { key: "rate", title: "Requests", unit: "per_second", query: REQUESTS },
  { key: "errors", title: "Errors", unit: "ratio", ceiling: 0.1, query: `(${ERRORS} or 0 * ${REQUESTS}) / ${REQUESTS}` },
  { key: "latency", title: "Response time, 95 %", unit: "seconds", query: `histogram_quantile(0.95, ${BUCKETS})` },
];

const charts = new Map();

let startedAt = 0;

/** Return how much time the graphs show: the last half hour, or less while the daemon has not seen that much. */
export function windowSeconds(overview) {
  startedAt = overview.started_at;
  return Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, Math.ceil((now() - startedAt) / 60) * 60));
}

function currentWindow() {
  const seconds = windowSeconds({ started_at: startedAt });
  const step = seconds / POINTS;
  const end = Math.floor(now() / step) * step;
  return { start: end - seconds, end, step };
}

/** Return the element of a graph, always the same one for the same key. */
function graph(key, options) {
  if (!charts.has(key)) {
    const element = h("figure", { class: "chart", "data-own": true, "data-key": `chart-${key}` });
    charts.set(key, { element, chart: new Chart(element, options) });
  }
  return charts.get(key).element;
}

export function machineGraphs() {
  return MACHINE.map((options) => graph(options.key, options));
}

export function serviceGraphs(service, environment) {
  return SERVICE.map((options) => graph(serviceKey(options, service, environment), options));
}

function serviceKey({ key }, service, environment) {
  return `${key}/${service}/${environment}`;
}

let hasServices = false;

/** Tell whether there are services, whose graphs are asked for only then; forget those of services that are gone. */
export function watchServices(services) {
  const keys = new Set(services.flatMap((one) => SERVICE.map((options) => serviceKey(options, one.service, one.environment))));
  const isNew = [...keys].some((key) => charts.has(key) && !charts.get(key).chart.end);
  for (const [key, { chart }] of charts) {
    if (key.includes("/") && !keys.has(key)) {
      chart.observer.disconnect();
      charts.delete(key);
    }
  }
  hasServices = services.length > 0;
  if (isNew) refresh();
}

let running = false;

/** Ask for all graphs again, unless nobody looks or the last round is still under way. */
export async function refresh() {
  if (running || document.hidden) return;
  running = true;
  try {
    const window = currentWindow();
    for (const options of MACHINE) await refreshMachine(options, window);
    if (hasServices) for (const options of SERVICE) await refreshServices(options, window);
  } catch {
    // The link shows that the daemon is away; the next round tries again.
  } finally {
    running = false;
  }
}

async function refreshMachine(options, window) {
  const series = [];
  for (const [query, name] of options.queries) {
    for (const { labels, points } of await range(query, window)) series.push({ name: shorten(labels[name] ?? name), points });
  }
  series.sort((a, b) => (options.queries.length > 1 ? 0 : b.points.at(-1)[1] - a.points.at(-1)[1]));
  charts.get(options.key)?.chart.show({ series: series.slice(0, MOST_SERIES), ...window });
}

/** Keep the end of a long path: that is what tells it from others. */
function shorten(name) {
  return name.length > 11 ? `…${name.slice(-10)}` : name;
}

async function refreshServices(options, window) {
  for (const { labels, points } of await range(options.query, window)) {
    const key = serviceKey(options, labels.service ?? "", labels.environment ?? "");
    charts.get(key)?.chart.show({ series: [{ name: "", points }], ...window });
  }
}

export function keepFresh() {
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
  refresh();
}
