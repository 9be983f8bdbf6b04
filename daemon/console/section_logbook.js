// Logbook entries in words.

import { h } from "./dom.js";
import { capital } from "./format.js";
import { icon } from "./icons.js";
import { empty, heading, moment } from "./parts.js";

const SIGNS = [
  [/\.(failed|refused)$/, "bad", "bad"],
  [/\.(firing|opened)$/, "bad", "bad"],
  [/\.(resolved|succeeded|sent|started|reloaded)$/, "good", "good"],
  [/\.(pending|cancelled|joined)$/, "warn", "warn"],
  [/\.(step|requested)$/, "running", "accent"],
];

const TELLING = ["name", "alertname", "title", "step", "kind", "decision", "summary", "message", "reason", "error", "detail", "receiver", "version", "address"];

export function logbook({ logbook }) {
  const newest = [...logbook].reverse();
  return [
    heading("logbook", "Logbook", newest.length ? `${newest[0].number.toLocaleString()} entries` : null),
    newest.length === 0 ? empty("Nothing written down yet") : h("ol", { class: "timeline tail", tabindex: "0", "aria-labelledby": "logbook-title" }, newest.map(entryLine)),
  ];
}

/** One entry as a line of a timeline. */
export function entryLine(entry) {
  const [, sign, colour] = SIGNS.find(([pattern]) => pattern.test(entry.kind)) ?? [null, "unknown", "faint"];
  return h(
    "li",
    { class: "entry", "data-key": `entry-${entry.number}`, title: `entry ${entry.number}, by ${entry.actor}` },
    h("span", { class: `entry-sign ${colour}` }, icon(sign)),
    h("span", { class: "entry-time" }, moment(entry.time, "clock")),
    h("span", { class: "entry-text" }, h("b", {}, words(entry.kind)), " ", h("span", { class: "quiet" }, [subject(entry), telling(entry)].filter(Boolean).join(" · "))),
  );
}

function words(kind) {
  return capital(String(kind).replaceAll("_", " ").replaceAll(".", " "));
}

function subject({ subject }) {
  if (subject === "daemon" || subject === "config" || subject.startsWith("alert/")) return "";
  const [kind, ...rest] = subject.split("/");
  return kind === "service" || kind === "policy" ? rest.join(" / ") : `${kind} ${rest.join("/")}`;
}

function telling({ data, kind }) {
  const found = [];
  for (const name of TELLING) {
    const value = data?.[name];
    if (typeof value === "string" && value && !found.includes(value)) found.push(value);
    if (found.length === 2) break;
  }
  if (kind === "operation.step" && typeof data?.state === "string") found.push(data.state);
  return found.join(": ");
}
