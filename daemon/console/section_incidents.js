// The incidents on the overview: what is open, what was lately, and how it goes on the whole.

import { h } from "./dom.js";
import { plural, serviceName } from "./format.js";
import { icon } from "./icons.js";
import { figure, isOpen, severityTag, statusTag } from "./incident_words.js";
import { empty, lasting, moment } from "./parts.js";

const MOST_CLOSED = 5;

/** @param figures what `incidents/figures` gave, or null. */
export function incidents({ incidents }, figures) {
  const open = incidents.filter(isOpen);
  const closed = incidents.filter((one) => !isOpen(one) && !one.merged_into).slice(0, MOST_CLOSED);
  return [
    h(
      "div",
      { class: "heading" },
      h("h2", { id: "incidents-title" }, "Incidents"),
      h("a", { class: "small", href: "#incidents/all" }, open.length ? `${open.length} open, all of them` : "All of them"),
    ),
    incidents.length === 0
      ? empty("No incident yet", "A critical alert opens one; alerts of the same service join it, and its timeline is kept.")
      : h("ul", { class: "rows" }, [...open, ...closed].map(row)),
    figures && figures.all.incidents ? summary(figures) : null,
  ];
}

function summary({ days, all }) {
  return h(
    "dl",
    { class: "mini-figures" },
    h("div", {}, h("dt", {}, `In ${days} days`), h("dd", {}, plural(all.incidents, "incident"))),
    h("div", {}, h("dt", {}, "Acknowledged after"), h("dd", {}, figure(all.acknowledge))),
    h("div", {}, h("dt", {}, "Over after"), h("dd", {}, figure(all.recover))),
  );
}

/** One incident as a row that leads to its page. */
export function row(one) {
  const open = isOpen(one);
  return h(
    "li",
    { class: `row incident-row ${open ? "" : "calm"}`, "data-key": `incident-${one.id}` },
    h("span", { class: `row-sign ${open ? (one.status === "open" ? "bad" : "accent") : "good"}` }, icon(open ? (one.status === "open" ? "bad" : "running") : "good")),
    h(
      "div",
      { class: "row-body" },
      h("p", { class: "row-title" }, h("a", { class: "row-link", href: `#incident/${one.id}` }, h("strong", {}, one.title))),
      h(
        "p",
        { class: "row-facts" },
        h("span", {}, `#${one.id}`),
        statusTag(one),
        severityTag(one.severity),
        serviceName(one) ? h("span", {}, serviceName(one)) : null,
        one.owner ? h("span", {}, "with ", h("b", {}, one.owner)) : null,
        h("span", {}, open ? ["for ", lasting(one.opened_at, null)] : ["lasted ", lasting(one.opened_at, one.resolved_at ?? one.opened_at), ", ", moment(one.opened_at)]),
      ),
    ),
    one.status === "open" ? h("button", { type: "button", class: "row-act", "data-action": "acknowledge", "data-incident": one.id }, "Acknowledge") : null,
  );
}
