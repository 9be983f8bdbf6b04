// Small pieces that several sections share.

import { h } from "./dom.js";
import { ago, capital, clockTime, duration, fullTime } from "./format.js";
import { colour, icon, tone } from "./icons.js";
import { now } from "./live.js";

/** A status as sign, colour and word. */
export function status(word, shown = capital(word), extra = "") {
  return h("span", { class: `status ${colour(word)} ${extra}`.trim() }, icon(tone(word), tone(word) === "running" ? "pulse" : ""), h("span", {}, shown));
}

/** A heading of a section with a number or a few words beside it. */
export function heading(id, title, aside) {
  return h("div", { class: "heading" }, h("h2", { id: `${id}-title` }, title), aside ? h("span", { class: "quiet small" }, aside) : null);
}

/** What to show where there is nothing to show: what that means, and what to do next. */
export function empty(title, ...more) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), more.map((text) => (text instanceof Node ? text : h("p", { class: "quiet small" }, text))));
}

/** A moment, as "3 min ago" or as time of day; kept current by `tick`. */
export function moment(seconds, form = "ago") {
  if (seconds === null || seconds === undefined) return h("span", { class: "quiet" }, "–");
  const text = form === "ago" ? ago(seconds, now()) : clockTime(seconds);
  return h("time", { datetime: iso(seconds), title: fullTime(seconds), "data-time": seconds, "data-form": form }, text);
}

/** How long something has been going on, or lasted. */
export function lasting(start, end) {
  if (start === null || start === undefined) return h("span", {}, "–");
  if (end !== null && end !== undefined) return h("span", {}, duration(end - start));
  return h("span", { "data-time": start, "data-form": "lasting" }, duration(Math.round(now() - start)));
}

/** How long until something. */
export function remaining(end) {
  return h("span", { "data-time": end, "data-form": "remaining" }, duration(Math.max(0, Math.round(end - now()))));
}

const FORMS = {
  ago: (seconds) => ago(seconds, now()),
  lasting: (seconds) => duration(Math.round(now() - seconds)),
  remaining: (seconds) => duration(Math.max(0, Math.round(seconds - now()))),
};

/** Bring every shown length of time up to date. */
export function tick() {
  for (const element of document.querySelectorAll("[data-time]")) {
    const write = FORMS[element.dataset.form];
    const text = write?.(Number(element.dataset.time));
    if (text !== undefined && element.textContent !== text) element.textContent = text;
  }
}

/** A link to an address that came from outside: only to the web, and without telling where from. */
export function link(address, text) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  return h("a", { href: url.href, rel: "noopener noreferrer", target: "_blank" }, text);
}

function iso(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
