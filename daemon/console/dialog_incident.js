// What people do with incidents, each behind a dialog that says what will happen.

import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { capital } from "./format.js";
import { get, post } from "./live.js";

const NAME = "watchkeeper-person";
const SEVERITIES = ["critical", "high", "medium", "low"];

function remembered() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

function remember(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // A browser that keeps nothing asks again the next time.
  }
}

function nameField() {
  const input = h("input", { id: "person", maxlength: "100", autocomplete: "name", placeholder: "How others know you" });
  input.value = remembered();
  return { input, rows: [h("label", { for: "person" }, "Your name"), input] };
}

function field(id, words, { rows = 0, value = "", placeholder = "", required = false } = {}) {
  const input = rows ? h("textarea", { id, rows, maxlength: "10000", placeholder, required }) : h("input", { id, maxlength: "300", placeholder, required, autocomplete: "off" });
  input.value = value;
  return { input, rows: [h("label", { for: id }, words), input] };
}

function act(incident, action, name, body, done) {
  return async () => {
    remember(name.input.value.trim());
    const answer = await post(`incidents/${incident.id}/${action}`, { ...body(), person: name.input.value.trim() });
    done(answer);
  };
}

/** Ask before something is done with an incident; `done(incident)` is called with what it is then. */
export const ASK = {
  acknowledge(incident, done) {
    const name = nameField();
    const note = field("note", "Note, if there is one", { placeholder: "Looking at the release of 12:02" });
    ask({
      title: `Acknowledge incident ${incident.id}?`,
      body: [h("p", {}, incident.title), h("p", { class: "quiet small" }, incident.owner ? "The escalation stops." : "It becomes yours, and the escalation stops."), name.rows, note.rows],
      yes: "Acknowledge",
      no: "Not now",
      act: act(incident, "acknowledge", name, () => ({ note: note.input.value }), done),
    });
  },
  mitigate(incident, done) {
    withNote(incident, "mitigate", "Its effects are contained?", "Say so when users are well again, though the cause may still be there. It stays open until it is resolved.", "It is mitigated", done);
  },
  resolve(incident, done) {
    const firing = incident.firing ? `${incident.firing} of its alerts still fire: they stay as they are, and open nothing new by themselves.` : "None of its alerts fires any more.";
    withNote(incident, "resolve", `Resolve incident ${incident.id}?`, firing, "Resolve", done);
  },
  reopen(incident, done) {
    withNote(incident, "reopen", `Reopen incident ${incident.id}?`, "It counts as open again until a person resolves it.", "Reopen", done);
  },
  note(incident, done) {
    const name = nameField();
    const note = field("note", "What is worth remembering", { rows: 4, required: true });
    ask({ title: "Add a note", body: [note.rows, name.rows], yes: "Add it", no: "Never mind", act: act(incident, "note", name, () => ({ note: note.input.value }), done) });
  },
  assign(incident, done) {
    const name = nameField();
    const owner = field("owner", "Who works on it; empty for nobody", { value: incident.owner });
    ask({ title: `Who works on incident ${incident.id}?`, body: [owner.rows, name.rows], yes: "Assign", no: "Never mind", act: act(incident, "assign", name, () => ({ owner: owner.input.value }), done) });
  },
  severity(incident, done) {
    const name = nameField();
    const select = h("select", { id: "severity" }, SEVERITIES.map((one) => h("option", { value: one, selected: one === incident.severity }, capital(one))));
    const note = field("note", "Why");
    ask({ title: "How bad is it?", body: [h("label", { for: "severity" }, "Severity"), select, note.rows, name.rows], yes: "Set it", no: "Never mind", act: act(incident, "severity", name, () => ({ severity: select.value, note: note.input.value }), done) });
  },
  async merge(incident, done) {
    const others = (await get("incidents", { limit: 50 })).incidents.filter((one) => one.id !== incident.id && !one.merged_into);
    const name = nameField();
    const select = h("select", { id: "into" }, others.map((one) => h("option", { value: one.id }, `#${one.id} ${one.title} (${one.status})`)));
    const body = others.length ? [h("p", { class: "quiet small" }, "Its alerts and its timeline move there, and this one is over. That cannot be taken back at once, but alerts can be split off again."), h("label", { for: "into" }, "It is part of"), select, name.rows] : [h("p", {}, "There is no other incident.")];
    ask({ title: `Merge incident ${incident.id}?`, body, yes: "Merge", no: "Never mind", able: others.length > 0, act: act(incident, "merge", name, () => ({ into: Number(select.value) }), done) });
  },
  split(incident, done) {
    const name = nameField();
    const title = field("title", "Title of the new incident", { placeholder: "That of its worst alert, unless told" });
    const boxes = incident.alert_details.slice(0, 100).map((alert) => {
      const box = h("input", { type: "checkbox", value: alert.id });
      return { box, row: h("label", { class: "pick" }, box, h("span", {}, alert.name, " ", h("span", { class: "quiet small" }, alert.annotations.summary ?? ""))) };
    });
    ask({
      title: "Which alerts belong elsewhere?",
      body: [h("div", { class: "picks" }, boxes.map(({ row }) => row)), title.rows, name.rows],
      yes: "Split them off",
      no: "Never mind",
      act: act(incident, "split", name, () => ({ alerts: boxes.filter(({ box }) => box.checked).map(({ box }) => box.value), title: title.input.value }), done),
    });
  },
  review(incident, done) {
    const name = nameField();
    const said = incident.timeline.filter((line) => line.kind === "incident.reviewed").at(-1)?.data ?? {};
    const cause = field("cause", "What caused it", { rows: 3, value: said.cause, placeholder: incident.suspects?.[0] ?? "" });
    const impact = field("impact", "Who felt it, and how", { rows: 2, value: said.impact });
    const followUps = field("follow-ups", "What will be done so that it does not come back", { rows: 3, value: said.follow_ups });
    ask({
      title: `Close the review of incident ${incident.id}?`,
      body: [h("p", { class: "quiet small" }, "What you write becomes part of the report. It can be closed again to correct it."), cause.rows, impact.rows, followUps.rows, name.rows],
      yes: "Close the review",
      no: "Not yet",
      act: act(incident, "review", name, () => ({ cause: cause.input.value, impact: impact.input.value, follow_ups: followUps.input.value }), done),
    });
  },
};

function withNote(incident, action, title, text, yes, done) {
  const name = nameField();
  const note = field("note", "Note, if there is one", { rows: 2 });
  ask({ title, body: [h("p", {}, text), note.rows, name.rows], yes, no: "Never mind", act: act(incident, action, name, () => ({ note: note.input.value }), done) });
}

/** Ask for what an incident needs that no alert tells of. */
export function askDeclare(done) {
  const name = nameField();
  const title = field("title", "What is wrong", { required: true, placeholder: "Customers cannot pay by card" });
  const service = field("service", "Service, if it is about one");
  const environment = field("environment", "Environment");
  const select = h("select", { id: "severity" }, SEVERITIES.map((one) => h("option", { value: one, selected: one === "high" }, capital(one))));
  ask({
    title: "Open an incident",
    body: [title.rows, service.rows, environment.rows, h("label", { for: "severity" }, "Severity"), select, name.rows],
    yes: "Open it",
    no: "Never mind",
    act: async () => {
      remember(name.input.value.trim());
      done(await post("incidents", { title: title.input.value, service: service.input.value, environment: environment.input.value, severity: select.value, person: name.input.value.trim() }));
    },
  });
}
