// Operations: what is under way, step by step, and what was done lately.

import { h } from "./dom.js";
import { capital, clockTime, plural, serviceName } from "./format.js";
import { colour, icon, tone } from "./icons.js";
import { empty, heading, lasting, moment } from "./parts.js";

const MOST_ENDED = 8;

export function isUnderWay({ state }) {
  return state === "pending" || state === "running";
}

/** Operations under way, each as a card of its own. */
export function underWay({ operations }) {
  return operations.filter(isUnderWay).map((one) =>
    h(
      "section",
      { class: "card under-way", "data-key": `under-way-${one.id}`, "aria-label": title(one) },
      h(
        "div",
        { class: "service-head" },
        h("div", {}, h("h2", {}, icon("running", "accent pulse"), " ", title(one)), facts(one)),
        h("div", { class: "service-now" }, h("p", { class: "version" }, lasting(one.started_at ?? one.created_at, null)), h("p", { class: "small quiet" }, "under way")),
        h("button", { type: "button", "data-action": "cancel", "data-operation": one.id }, "Cancel"),
      ),
      steps(one),
    ),
  );
}

export function operations({ operations }) {
  const ended = operations.filter((one) => !isUnderWay(one)).slice(0, MOST_ENDED);
  return [
    heading("operations", "Operations", ended.length ? `the last ${ended.length}` : null),
    ended.length === 0
      ? empty("Nothing done yet", "Deploys, rollbacks and what policies do show here step by step.", h("pre", {}, "watchkeeper deploy SERVICE ENVIRONMENT --artifact PATH"))
      : h("ul", { class: "rows" }, ended.map(operation)),
  ];
}

function operation(one) {
  return h(
    "li",
    { class: "row", "data-key": `operation-${one.id}` },
    h("span", { class: `row-sign ${colour(one.state)}` }, icon(tone(one.state))),
    h(
      "details",
      { class: "row-body", "data-key": `steps-${one.id}` },
      h(
        "summary",
        {},
        h("p", { class: "row-title" }, h("strong", {}, title(one)), icon("open", "fold")),
        h("p", { class: "row-facts" }, h("span", {}, capital(one.state)), h("span", {}, moment(one.ended_at ?? one.created_at)), h("span", {}, "took ", lasting(one.started_at, one.ended_at)), h("span", {}, "by ", one.requested_by)),
        one.error ? h("p", { class: "row-text bad" }, one.error) : null,
      ),
      one.reason ? h("p", { class: "row-text quiet" }, one.reason) : null,
      steps(one),
    ),
  );
}

/** "Rollback of shop / production". */
export function title(one) {
  const target = serviceName(one);
  return capital(one.kind) + (target ? ` of ${target}` : "");
}

function facts(one) {
  return h("p", { class: "row-facts" }, h("span", {}, "asked by ", one.requested_by, " at ", moment(one.created_at, "clock")), one.reason ? h("span", {}, one.reason) : null);
}

function steps(one) {
  if (one.steps.length === 0) return h("p", { class: "quiet small" }, "No step yet.");
  return h("ol", { class: "steps", "aria-label": plural(one.steps.length, "step") }, one.steps.map((step, index) =>
    h(
      "li",
      { class: `step ${step.state}`, "data-key": `${one.id}-${index}` },
      h("span", { class: `step-sign ${colour(step.state)}` }, icon(tone(step.state), step.state === "running" ? "pulse" : "")),
      h("span", { class: "step-name" }, capital(String(step.name).replaceAll("_", " ")), h("span", { class: "visually-hidden" }, `, ${step.state}`)),
      h("span", { class: "step-detail" }, step.detail ?? ""),
      h("span", { class: "step-time" }, clockTime(step.started_at)),
      h("span", { class: "step-took" }, step.started_at === null ? "" : lasting(step.started_at, step.ended_at)),
    ),
  ));
}
