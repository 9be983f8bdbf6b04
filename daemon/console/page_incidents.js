// The page of all incidents: figures by service, and the newest of them.

import { h, patch } from "./dom.js";
import { capital, duration, plural } from "./format.js";
import { icon } from "./icons.js";
import { get } from "./live.js";
import { row } from "./section_incidents.js";
import { empty } from "./parts.js";

const MOST = 200;

let open = false;
let figures = null;
let list = null;
let trouble = null;

export const incidentsPage = {
  show() {
    open = true;
    draw();
    refresh();
  },
  leave() {
    open = false;
    patch(document.getElementById("page"));
  },
  refresh,
};

async function refresh() {
  try {
    figures = await get("incidents/figures", { days: 30 });
    list = (await get("incidents", { limit: MOST })).incidents;
    trouble = null;
  } catch (error) {
    trouble = error;
  }
  if (open) draw();
}

function draw() {
  patch(
    document.getElementById("page"),
    h("p", { class: "back", "data-key": "back" }, h("a", { href: "#" }, icon("back"), " Overview")),
    h(
      "section",
      { class: "card", "data-key": "figures", "aria-labelledby": "figures-title" },
      h("div", { class: "heading" }, h("h1", { class: "incident-title", id: "figures-title" }, "Incidents"), h("button", { type: "button", "data-action": "declare" }, "Open one by hand")),
      trouble ? h("p", { class: "bad" }, capital(trouble.message)) : figures ? table(figures) : h("p", { class: "quiet" }, "Reading…"),
    ),
    list ? h("section", { class: "card", "data-key": "list", "aria-label": "All incidents" }, list.length ? h("ul", { class: "rows" }, list.map(row)) : empty("No incident yet", "A critical alert opens one.")) : null,
  );
}

function table({ days, all, services }) {
  return [
    h("dl", { class: "big-figures" }, big(`In ${days} days`, plural(all.incidents, "incident"), all.open ? `${all.open} open` : "none open"), big("Detected after", seconds(all.detect.median), worst(all.detect)), big("Acknowledged after", seconds(all.acknowledge.median), worst(all.acknowledge)), big("Over after", seconds(all.recover.median), worst(all.recover))),
    services.length > 1 || services[0]?.service
      ? h(
          "div",
          { class: "table-frame" },
          h(
            "table",
            { class: "figures" },
            h("thead", {}, h("tr", {}, ["Service", "Incidents", "Acknowledged after", "Over after", "Longest"].map((name) => h("th", { scope: "col" }, name)))),
            h("tbody", {}, services.map((one) => h("tr", { "data-key": one.service || "-" }, h("td", {}, one.service || h("span", { class: "quiet" }, "no service")), h("td", {}, one.incidents, one.open ? h("span", { class: "bad" }, ` (${one.open} open)`) : null), h("td", {}, seconds(one.acknowledge.median)), h("td", {}, seconds(one.recover.median)), h("td", {}, seconds(one.recover.worst))))),
          ),
        )
      : null,
    h("p", { class: "quiet small" }, "Medians. Merged incidents count once."),
  ];
}

function big(name, value, more) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value), h("p", { class: "quiet small" }, more));
}

function seconds(value) {
  return value === null ? "–" : duration(value);
}

function worst(spread) {
  return spread.count ? `mean ${duration(spread.mean)}, longest ${duration(spread.worst)}` : "nothing to measure yet";
}
