// Making a silence from an alert, and ending one. What it would hit is shown before it is made.

import { ask } from "./dialog.js";
import { h, patch } from "./dom.js";
import { plural } from "./format.js";
import { now, post, remove } from "./live.js";

const API = "/api/v2/";
const LENGTHS = [
  ["1800", "30 minutes"],
  ["3600", "1 hour"],
  ["7200", "2 hours"],
  ["28800", "8 hours"],
  ["86400", "1 day"],
  ["604800", "1 week"],
];
const PREFERRED = ["alertname", "service", "environment", "instance", "job", "mountpoint", "device"];
const AUTHOR = "watchkeeper-author";

/** Ask for a silence of an alert: which labels it must have, how long, who, and why. */
export function askSilence(alert, alerts) {
  const names = Object.keys(alert.labels).sort((a, b) => place(a) - place(b) || a.localeCompare(b));
  const boxes = names.map((name) => h("input", { type: "checkbox", value: name, checked: place(name) < PREFERRED.length, id: `silence-${name}` }));
  const length = h("select", { id: "silence-length" }, LENGTHS.map(([seconds, words]) => h("option", { value: seconds, selected: seconds === "7200" }, words)));
  const author = h("input", { id: "silence-author", required: true, maxlength: "200", autocomplete: "name", value: localStorage.getItem(AUTHOR) ?? "" });
  const comment = h("input", { id: "silence-comment", required: true, maxlength: "1000", placeholder: "Why is it fine not to be told?", autocomplete: "off" });
  const preview = h("p", { class: "quiet small", id: "silence-preview", role: "status" });
  const chosen = () => names.filter((_, index) => boxes[index].checked);
  const hit = () => alerts.filter((one) => one.state === "firing" && chosen().every((name) => one.labels[name] === alert.labels[name]));
  const show = () => patch(preview, chosen().length ? `Matches ${plural(hit().length, "alert")} firing now, and those to come.` : "Choose at least one label.");
  for (const box of boxes) box.addEventListener("change", show);
  show();
  ask({
    title: `Silence ${alert.name}?`,
    body: [
      h("fieldset", { class: "choices" }, h("legend", {}, "Alerts with these labels"), names.map((name, index) => h("label", { class: "choice" }, boxes[index], h("code", {}, `${name}=${alert.labels[name]}`)))),
      preview,
      h("label", { for: "silence-length" }, "For"),
      length,
      h("label", { for: "silence-comment" }, "Reason"),
      comment,
      h("label", { for: "silence-author" }, "Your name"),
      author,
    ],
    yes: "Silence",
    no: "Keep telling",
    act: () => {
      localStorage.setItem(AUTHOR, author.value);
      return post(`${API}silences`, {
        matchers: chosen().map((name) => ({ name, value: alert.labels[name], isRegex: false, isEqual: true })),
        startsAt: iso(now()),
        endsAt: iso(now() + Number(length.value)),
        createdBy: author.value,
        comment: comment.value,
      });
    },
  });
}

/** Ask before a silence is ended. */
export function askExpire(silence) {
  ask({
    title: "End this silence?",
    body: [h("p", { class: "labels" }, silence.matchers.map((matcher) => h("code", {}, matcher))), h("p", {}, "Its alerts that still fire are told from now on.")],
    yes: "End it",
    no: "Keep it",
    act: () => remove(`${API}silence/${encodeURIComponent(silence.id)}`),
  });
}

function place(name) {
  const found = PREFERRED.indexOf(name);
  return found < 0 ? PREFERRED.length : found;
}

function iso(seconds) {
  return new Date(seconds * 1000).toISOString();
}
