// Silences that hold or will hold: what is not told, until when, and why.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { heading, moment, remaining } from "./parts.js";

/** Nothing at all where there is none: a page without silences needs no word about them. */
export function silences({ silences }) {
  const active = silences.filter((one) => one.state === "active").length;
  if (!silences.length) return [];
  return [heading("silences", "Silences", active ? `${active} active` : null), h("ul", { class: "rows" }, silences.map(silence))];
}

function silence(one) {
  const isPending = one.state === "pending";
  return h(
    "li",
    { class: "row", "data-key": `silence-${one.id}` },
    h("span", { class: "row-sign quiet" }, icon("skipped")),
    h(
      "div",
      { class: "row-body" },
      h("p", { class: "labels" }, one.matchers.map((matcher) => h("code", {}, matcher))),
      h("p", { class: "row-text" }, one.comment),
      h(
        "p",
        { class: "row-facts" },
        h("span", {}, `by ${one.created_by}`),
        h("span", {}, isPending ? ["begins ", moment(one.starts_at, "clock")] : ["ends in ", remaining(one.ends_at)]),
        h("button", { type: "button", "data-action": "expire", "data-silence": one.id }, isPending ? "Drop" : "End now"),
      ),
    ),
  );
}
