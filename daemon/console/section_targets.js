// Targets: what is looked at, and how that goes.

import { h } from "./dom.js";
import { duration } from "./format.js";
import { empty, heading, moment, status } from "./parts.js";

const OWN = ["system", "own"];
const ORDER = { down: 0, unknown: 1, up: 2 };

export function targets({ targets }) {
  const up = targets.filter((target) => target.health === "up").length;
  const sorted = [...targets].sort((a, b) => ORDER[a.health] - ORDER[b.health] || a.source.localeCompare(b.source));
  const others = targets.some((target) => !OWN.includes(target.plugin));
  return [
    heading("targets", "Targets", targets.length ? `${up} of ${targets.length} up` : null),
    targets.length === 0 ? empty("Nothing is looked at yet", "The first collection is about to begin.") : table(sorted),
    targets.length > 0 && !others ? h("p", { class: "quiet small more" }, "Only this machine so far. Add scrape_configs, http_probes, sql or commands to the config file to watch more.") : null,
  ];
}

function table(rows) {
  const columns = ["State", "Source", "Last read", "Took", "Samples", "Every"];
  return h(
    "div",
    { class: "table-frame" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, columns.map((name, index) => h("th", { scope: "col", class: index > 2 ? "number" : null }, name)))),
      h("tbody", {}, rows.map(row)),
    ),
  );
}

function row(target) {
  return h(
    "tr",
    { "data-key": target.source },
    h("td", {}, status(target.health)),
    h("td", { class: "wide" }, h("span", { class: "source" }, target.source), target.last_error && target.health !== "up" ? h("span", { class: "source-error bad" }, target.last_error) : null),
    h("td", {}, moment(target.last_collected)),
    h("td", { class: "number" }, target.last_collected === null ? "–" : duration(target.last_duration_seconds)),
    h("td", { class: "number" }, target.samples.toLocaleString()),
    h("td", { class: "number" }, duration(target.interval_seconds)),
  );
}
