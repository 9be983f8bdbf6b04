// The top of the page: how things are, why, and what the operator must know about the daemon itself.

import { h } from "./dom.js";
import { capital, duration, plural } from "./format.js";
import { colour, icon, tone } from "./icons.js";
import { moment, status } from "./parts.js";

const ASPECTS = ["availability", "database", "dependencies", "resources", "security"];
const SENTENCES = {
  healthy: "Everything that is watched is as it should be.",
  degraded: "It works, but something needs a look.",
  unhealthy: "Something is broken and needs somebody now.",
};

export function health({ health, targets, alerts }) {
  const firing = alerts.filter((alert) => alert.state === "firing").length;
  const down = targets.filter((target) => target.health === "down").length;
  const facts = [
    down ? `${down} of ${plural(targets.length, "source")} down` : `${plural(targets.length, "source")} watched`,
    firing ? `${plural(firing, "alert")} firing` : "no alert firing",
  ];
  return [
    h(
      "div",
      { class: "verdict" },
      h("span", { class: `verdict-sign ${colour(health.status)}` }, icon(tone(health.status))),
      h("div", {}, h("h1", {}, capital(health.status)), h("p", { class: "quiet" }, SENTENCES[health.status] ?? "", h("span", { class: "facts" }, ` ${capital(facts.join(", "))}.`))),
    ),
    h("ul", { class: "aspects", "aria-label": "Aspects" }, aspectNames(health).map((name) => aspect(name, health.aspects[name]))),
    health.reasons.length ? h("ul", { class: "reasons", "aria-label": "Reasons" }, health.reasons.map(reason)) : null,
  ];
}

function aspectNames({ aspects }) {
  return [...ASPECTS.filter((name) => name in aspects), ...Object.keys(aspects).filter((name) => !ASPECTS.includes(name))];
}

function aspect(name, word) {
  return h("li", { class: "aspect" }, h("span", { class: "aspect-name" }, capital(name)), status(word, word === "unknown" ? "Not watched" : capital(word)));
}

function reason({ aspect, status: word, message }) {
  return h("li", {}, h("span", { class: colour(word) }, icon(tone(word))), h("span", { class: "reason-aspect" }, capital(aspect)), h("span", { class: "reason-text" }, message));
}

export function banners({ config, database_trouble: trouble, ready }) {
  return [
    config.error
      ? banner("bad", "config", "The configuration on disk is not in use", config.error, `Correct ${config.file || "the file"} and reload. The configuration from before keeps running.`)
      : null,
    trouble
      ? h(
          "div",
          { class: "banner bad", "data-key": "database", role: "alert" },
          icon("bad"),
          h("div", {}, h("strong", {}, "The state database cannot be written"), h("p", {}, trouble.reason, ", since ", moment(trouble.since, "clock"), "."), h("p", { class: "small" }, "Watching goes on. Nothing is acted on until this works again; it is tried by itself. Check the disk.")),
        )
      : null,
    config.notes?.length
      ? banner("warn", "notes", "Notes on the configuration", config.notes.join("\n"))
      : null,
    ready === false ? banner("warn", "starting", "Starting or stopping", "Not everything is at work yet.") : null,
  ];
}

export function lost() {
  return banner("warn", "lost", "Connection lost", "What you see is from before. Trying again…");
}

function banner(kind, key, title, text, remedy) {
  return h(
    "div",
    { class: `banner ${kind}`, "data-key": key, role: "alert" },
    icon(kind),
    h("div", {}, h("strong", {}, title), String(text).split("\n").map((line) => h("p", {}, line)), remedy ? h("p", { class: "small" }, remedy) : null),
  );
}

export function host({ hostname, version, started_at: started, now }) {
  return [h("strong", {}, hostname), h("span", {}, `version ${version}`), h("span", {}, `up ${duration(Math.round((now - started) / 60) * 60 || now - started)}`)];
}

export function foot({ config }) {
  return ["Configuration: ", h("code", {}, config.file || "built-in defaults"), ", loaded ", moment(config.loaded_at), ". Also here: ", h("a", { href: "/metrics" }, "metrics for Prometheus"), ", ", h("a", { href: "/-/healthy" }, "health as JSON"), "."];
}
