// Services: what runs, who gets the traffic, what ran before.

import { h, s } from "./dom.js";
import { capital, plural, serviceName } from "./format.js";
import { icon } from "./icons.js";
import { serviceGraphs } from "./graphs.js";
import { empty, heading, moment, remaining, status } from "./parts.js";

const USABLE = ["good", "superseded"];

const EXAMPLE = `services:
  shop:
    environments:
      production:
        runtime:
          process:
            argv: [python3, "{artifact}/app.py", --port, "{port}"]
        ports: 9001-9004
        router:
          listen: 127.0.0.1:8080`;

export function services({ services, operations, config }) {
  return [
    heading("services", "Services", services.length ? plural(services.length, "service") : null),
    services.length === 0
      ? h("div", { class: "card" }, empty("No service is configured", `Name one in ${config.file || "a config file"} to deploy it, see its traffic and let a bad release be rolled back:`, h("pre", {}, EXAMPLE)))
      : services.map((one) => service(one, operations)),
  ];
}

function service(one, operations) {
  const key = serviceName(one);
  const busy = operations.some((operation) => ["pending", "running"].includes(operation.state) && operation.service === one.service && operation.environment === one.environment);
  const shares = traffic(one);
  return h(
    "article",
    { class: "card service", "data-key": `service-${key}`, "aria-label": key },
    h(
      "div",
      { class: "service-head" },
      h("div", {}, h("h3", { class: "service-name" }, one.service, one.environment ? h("span", { class: "quiet" }, one.environment) : null), h("p", { class: "row-facts" }, h("span", {}, one.strategy), one.address ? h("span", {}, h("code", {}, one.address)) : null)),
      h("div", { class: "service-now" }, current(one)),
      targets(one).length ? h("button", { type: "button", "data-action": "rollback", "data-service": one.service, "data-environment": one.environment, disabled: busy, title: busy ? "An operation is under way" : null }, icon("back"), " Roll back") : null,
    ),
    one.problem ? h("p", { class: "problem bad" }, icon("bad"), " ", one.problem) : null,
    h(
      "div",
      { class: "service-parts" },
      h("div", {}, h("h4", {}, one.address ? "Traffic" : "Instances"), one.address ? (shares.length ? trafficBar(shares) : h("p", { class: "quiet small" }, "No instance takes traffic.")) : null, instances(one)),
      h("div", {}, h("h4", {}, "Revisions"), revisions(one)),
    ),
    one.address ? h("div", { class: "charts", "data-key": `charts-${key}` }, serviceGraphs(one.service, one.environment)) : null,
  );
}

function current(one) {
  const revision = one.revisions.find(({ revision }) => revision === one.current);
  if (!revision) return h("p", { class: "quiet small" }, "Nothing deployed yet");
  return [
    h("p", { class: "version" }, revision.version || `r${revision.revision}`),
    one.baking_until ? h("p", { class: "small accent" }, icon("running", "pulse"), " baking, ", remaining(one.baking_until), " left") : h("p", { class: "small" }, status(revision.state)),
  ];
}

/** The revisions that a rollback can go to, newest first. */
export function targets(one) {
  const able = one.revisions.filter(({ revision, state }) => revision !== one.current && (USABLE.includes(state) || revision === one.last_good));
  return able.sort((a, b) => (b.revision === one.last_good) - (a.revision === one.last_good) || b.created_at - a.created_at);
}

function traffic(one) {
  const weights = new Map();
  for (const { revision, weight } of one.instances) if (weight > 0) weights.set(revision, (weights.get(revision) ?? 0) + weight);
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  return [...weights]
    .map(([revision, weight]) => ({ revision, share: weight / total, version: versionOf(one, revision), current: revision === one.current }))
    .sort((a, b) => b.current - a.current);
}

function versionOf(one, revision) {
  return one.revisions.find((candidate) => candidate.revision === revision)?.version || `r${revision}`;
}

function trafficBar(shares) {
  let x = 0;
  const parts = shares.map(({ share, current }) => {
    const part = s("rect", { class: current ? "share current" : "share", x: x * 100, y: 0, width: Math.max(0, share * 100 - (shares.length > 1 ? 0.6 : 0)), height: 10 });
    x += share;
    return part;
  });
  const words = shares.map(({ version, share }) => `${version} ${Math.round(share * 100)} %`);
  return [
    s("svg", { class: "traffic", viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": `Traffic: ${words.join(", ")}` }, parts),
    h("p", { class: "legend small" }, shares.map(({ version, share, current }) => h("span", {}, h("i", { class: `swatch ${current ? "series-0" : "series-1"}` }), version, " ", h("b", {}, `${Math.round(share * 100)} %`)))),
  ];
}

function instances(one) {
  if (one.instances.length === 0) return null;
  return h(
    "ul",
    { class: "instances" },
    one.instances.map((instance) =>
      h(
        "li",
        { "data-key": instance.id },
        instanceStatus(instance),
        h("span", {}, versionOf(one, instance.revision)),
        h("span", { class: "quiet" }, instance.port ? `port ${instance.port}` : ""),
        h("span", { class: "quiet" }, instance.pid ? `pid ${instance.pid}` : ""),
      ),
    ),
  );
}

function instanceStatus({ alive, healthy }) {
  if (!alive) return status("down", "Gone");
  if (healthy === null) return status("unknown", "Not asked");
  return healthy ? status("healthy") : status("unhealthy");
}

const MOST_REVISIONS = 6;

function revisions(one) {
  if (one.revisions.length === 0) return h("p", { class: "quiet small" }, "None yet. Deploy one: ", h("code", {}, `watchkeeper deploy ${one.service} ${one.environment} --artifact PATH`));
  const newest = [...one.revisions].sort((a, b) => b.created_at - a.created_at).slice(0, MOST_REVISIONS);
  return h(
    "ul",
    { class: "revisions" },
    newest.map((revision) =>
      h(
        "li",
        { "data-key": String(revision.revision), class: revision.revision === one.current ? "is-current" : null },
        h("span", { class: "revision-version" }, revision.version || `r${revision.revision}`, revision.revision === one.current ? h("span", { class: "tag" }, "current") : null),
        status(revision.state),
        h("span", { class: "quiet small", title: revision.artifact_sha256 ? `sha256 ${revision.artifact_sha256}` : null }, moment(revision.deployed_at ?? revision.created_at)),
      ),
    ),
  );
}

export function describe(revision) {
  return `${revision.version || `r${revision.revision}`} (${capital(revision.state)})`;
}
