// Who is on call now and next; nothing where there are no schedules.

import { h } from "./dom.js";
import { minuteTime } from "./format.js";
import { icon } from "./icons.js";
import { get } from "./live.js";
import { heading, moment, remaining } from "./parts.js";

const FRESH_MS = 60_000;

let schedules = [];
let readAt = 0;

/** Read the schedules anew where that was a while ago or `isNews`; calls `then` once they are there. */
export async function readOnCall(then, isNews = false) {
  if (!isNews && Date.now() - readAt < FRESH_MS) return;
  readAt = Date.now();
  try {
    schedules = (await get("oncall")).schedules;
  } catch {
    return; // the line to the daemon says itself when it is lost
  }
  then();
}

export function onCall() {
  if (schedules.length === 0) return [];
  return [heading("oncall", "On call", null), h("ul", { class: "rows" }, schedules.map(row))];
}

function row(one) {
  const nobody = one.people.length === 0;
  return h(
    "li",
    { class: "row", "data-key": one.name },
    h("span", { class: `row-sign ${nobody ? "bad" : "good"}` }, icon(nobody ? "bad" : "good")),
    h(
      "div",
      { class: "row-body" },
      h("p", { class: "row-title" }, h("strong", { class: nobody ? "bad" : null }, names(one.people)), h("span", { class: "quiet" }, one.name)),
      h("p", { class: "row-facts" }, one.until === null ? h("span", {}, "for good") : h("span", { title: minuteTime(one.until) }, "for ", remaining(one.until)), one.next ? h("span", {}, "then ", names(one.next.people), ", ", moment(one.next.starts_at, "clock")) : null),
    ),
  );
}

function names(people) {
  return people.join(", ") || "nobody";
}
