// What can be done to services from this page, each behind a dialog that says what will happen.

import { h, patch } from "./dom.js";
import { serviceName } from "./format.js";
import { icon } from "./icons.js";
import { post } from "./live.js";
import { title as operationTitle } from "./section_operations.js";
import { describe, targets } from "./section_services.js";

const dialog = document.getElementById("dialog");

/** Ask before a rollback of a service, and begin it. */
export function askRollback(service) {
  const choices = targets(service);
  const current = service.revisions.find(({ revision }) => revision === service.current);
  const select = h("select", { id: "rollback-to", name: "to" }, choices.map((one) => h("option", { value: one.revision }, describe(one))));
  const reason = h("input", { id: "rollback-reason", name: "reason", maxlength: "300", placeholder: "What is wrong with it?", autocomplete: "off" });
  const from = current ? current.version || `r${current.revision}` : "what runs now";
  ask({
    title: `Roll back ${serviceName(service)}?`,
    body: [
      h("label", { for: "rollback-to" }, "Go back to"),
      select,
      h("ol", { class: "what-happens" }, whatHappens(service, from).map((text) => h("li", {}, text))),
      service.strategy === "recreate" ? null : h("p", { class: "quiet small" }, `If the older revision does not become healthy, traffic stays on ${from}.`),
      h("label", { for: "rollback-reason" }, "Reason, for the logbook"),
      reason,
    ],
    yes: "Roll back",
    no: `Keep ${from}`,
    act: () => post("operations", { kind: "rollback", service: service.service, environment: service.environment, parameters: { revision: Number(select.value) }, reason: reason.value || "asked for on the console" }),
  });
}

function whatHappens({ strategy }, from) {
  if (strategy === "recreate") {
    return [`Instances of ${from} finish the requests they have and are stopped.`, "Instances of the other revision are started and must pass the health check.", "Until they do, requests fail: that is how this service is deployed (strategy recreate)."];
  }
  return [
    "Instances of that revision are started, where they do not run any more, and must pass the health check.",
    "Traffic moves to them at once. No connection is dropped.",
    `${from} finishes the requests it has, then it is stopped.`,
  ];
}

/** Ask before an operation is cancelled, and cancel it. */
export function askCancel(operation) {
  ask({
    title: `Cancel: ${operationTitle(operation)}?`,
    body: [h("p", {}, "The step under way is ended, and what was done so far is put back in order: the service keeps, or gets back, healthy instances and its traffic.")],
    yes: "Cancel the operation",
    no: "Let it go on",
    act: () => post(`operations/${encodeURIComponent(operation.id)}/cancel`),
  });
}

/** Ask with a form; `act` is called when it is sent, and what it throws is shown in the dialog, which stays open. */
export function ask({ title, body, yes, no, act, able = true }) {
  const problem = h("div", { class: "dialog-problem", role: "alert" });
  const confirm = h("button", { type: "submit", class: "primary", disabled: !able }, yes);
  const form = h(
    "form",
    {},
    h("h2", { id: "dialog-title" }, title),
    body,
    problem,
    h("div", { class: "dialog-buttons" }, h("button", { type: "button", "data-close": true }, no), confirm),
  );
  form.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    confirm.disabled = true;
    patch(problem);
    try {
      await act();
      dialog.close();
    } catch (error) {
      patch(problem, h("p", { class: "bad" }, icon("bad"), " ", error.message), error.remedy ? h("p", { class: "small" }, error.remedy) : null);
      confirm.disabled = false;
    }
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}
