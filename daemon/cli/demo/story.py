"""The plot: a good release, a bad one, and a daemon that notices and puts it right, watched from outside only.

Everything that is told was read from the daemon's API or counted by the users' side. Until the bad release is
deployed the demo acts; from then on it looks on (and, where asked to, kills the daemon).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from daemon.cli.client import Client
from daemon.cli.demo.narrator import Narrator
from daemon.cli.demo.processes import DaemonProcess
from daemon.cli.demo.scene import BAD, GOOD, Scene
from daemon.cli.demo.traffic import REQUESTS_PER_SECOND, Account, Traffic
from daemon.cli.failure import PROBLEMS, CommandError, UnreachableError
from daemon.cli.follow import ENDED, follow
from daemon.cli.options import items
from daemon.cli.output import Cell
from daemon.cli.wording import length

Document = dict[str, Any]
T = TypeVar("T")

SERVICE, ENVIRONMENT, ALERT = "shop", "production", "ShopErrors"
LOOK_SECONDS = 0.1
KILL_LOOK_SECONDS = 0.005
CALM_SECONDS = 3.0
"""How long no request may fail for traffic to count as clean again."""


@dataclass(slots=True)
class Evidence:
    """What was seen; filled as the story goes on."""

    good_revision: int = 0
    bad_revision: int = 0
    bad_deployed_at: float = 0.0
    rollback_ended_at: float = 0.0
    killed_during: str = ""
    alert: Document = field(default_factory=dict)
    incident: Document = field(default_factory=dict)
    rollback: Document = field(default_factory=dict)
    service: Document = field(default_factory=dict)
    timeline: list[Document] = field(default_factory=list)
    logbook: Document = field(default_factory=dict)
    account: Account = field(default_factory=lambda: Account(()))


class Story:
    """Plays once."""

    def __init__(self, scene: Scene, daemon: DaemonProcess, traffic: Traffic, narrator: Narrator) -> None:
        self._scene = scene
        self._daemon = daemon
        self._traffic = traffic
        self._narrator = narrator
        self._client = Client(scene.url, timeout_seconds=10)
        self._evidence = Evidence()

    def play(self, *, kill_daemon: bool) -> Evidence:
        """Play to the end and return what was seen.

        Raises: CommandError: something did not happen in time; the message says what.
        """
        self._start_daemon()
        self._deploy_good_release()
        self._deploy_bad_release()
        self._see_alert_and_incident()
        self._see_rollback(kill_daemon=kill_daemon)
        self._see_clean_traffic()
        self._see_resolution()
        self._gather()
        return self._evidence

    def _start_daemon(self) -> None:
        seconds = self._daemon.start()
        self._narrator.tell(f"the daemon is ready after {length(seconds)}; its page: ", Cell(self._scene.url + "/"))

    def _deploy_good_release(self) -> None:
        operation = self._deploy(GOOD)
        self._evidence.good_revision = int(operation["result"]["revision"])
        self._traffic.start()
        self._narrator.tell(f"users arrive: {REQUESTS_PER_SECOND} requests a second through the router")
        self._wait("release 1.4.1 to be promoted", 30, self._good_release_is_promoted)
        sent = self._traffic.account().sent
        self._narrator.tell("release ", Cell(GOOD, "good"), f" has proved itself: {sent} requests, none failed"
                            if not self._traffic.account().failed else f": {sent} requests")  # fmt: skip

    def _good_release_is_promoted(self) -> bool:
        return bool(self._service()["last_good"] == self._evidence.good_revision)

    def _deploy_bad_release(self) -> None:
        self._evidence.bad_deployed_at = time.time()
        operation = self._deploy(BAD)
        self._evidence.bad_revision = int(operation["result"]["revision"])

    def _deploy(self, version: str) -> Document:
        self._narrator.tell("deploying release ", Cell(version, "strong"), " of the shop, two instances")
        request = {"kind": "deploy", "service": SERVICE, "environment": ENVIRONMENT, "reason": "demo",
                   "parameters": {"artifact": str(self._scene.release(version)), "version": version}}  # fmt: skip
        accepted: Document = self._client.post("operations", request)
        operation = follow(self._client, str(accepted["id"]), self._narrator.steps)
        if operation["state"] != "succeeded":
            raise _missing(f"the deployment of {version} {operation['state']}: {operation['error']}")
        return operation

    def _see_alert_and_incident(self) -> None:
        failure = self._wait("a request to fail", 20, lambda: self._traffic.account().first_failure)
        self._narrator.tell("the first order fails: a third of them do, while the health check stays green", at=failure)
        self._narrator.tell("hands off: from here on the demo only watches")
        alert = self._evidence.alert = self._wait(f"the alert {ALERT} to fire", 30, self._firing_alert)
        summary = alert["annotations"].get("summary", "")
        self._narrator.tell("alert ", Cell(alert["name"], "bad"), f" fires: {summary}", at=alert["fired_at"])
        incident = self._evidence.incident = self._wait("an incident to open", 10, self._open_incident)
        self._narrator.tell("incident ", Cell(str(incident["id"]), "bad"), f" opens: {incident['title']}",
                            at=incident["opened_at"])  # fmt: skip

    def _firing_alert(self) -> Document | None:
        alerts = items(self._client.get("alerts"), "alerts")
        return next((alert for alert in alerts if alert["name"] == ALERT and alert["state"] == "firing"), None)

    def _open_incident(self) -> Document | None:
        incidents = items(self._client.get("incidents"), "incidents")
        return next((one for one in incidents if self._evidence.alert["id"] in one["alerts"]), None)

    def _see_rollback(self, *, kill_daemon: bool) -> None:
        pause = KILL_LOOK_SECONDS if kill_daemon else LOOK_SECONDS
        begun = self._wait("the policy to roll back", 20, self._begun_rollback, pause=pause)
        if kill_daemon:
            self._daemon.kill()
        killed_at = time.time()
        self._narrator.tell(f"{begun['requested_by']} rolls back", at=begun["created_at"])
        if kill_daemon:
            self._restart_killed_daemon(begun, killed_at)
        rollback = self._evidence.rollback = follow(self._client, str(begun["id"]), self._narrator.steps)
        if rollback["state"] != "succeeded":
            raise _missing(f"the rollback {rollback['state']}: {rollback['error']}")
        self._evidence.rollback_ended_at = float(rollback["ended_at"])
        switched = next((s["ended_at"] for s in rollback["steps"] if s["name"] == "switch_traffic"), None)
        after = length((switched or rollback["ended_at"]) - self._evidence.alert["fired_at"])
        self._narrator.tell(
            "release ", Cell(GOOD, "good"), f" has all traffic again, {after} after the alert", at=switched
        )

    def _begun_rollback(self) -> Document | None:
        """Return the rollback once it has a first step."""
        operations = items(self._client.get("operations", {"service": SERVICE, "limit": 5}), "operations")
        return next((one for one in operations if one["kind"] == "rollback" and one["steps"]), None)

    def _restart_killed_daemon(self, operation: Document, killed_at: float) -> None:
        step = str(operation["steps"][-1]["name"])
        if operation["state"] not in ENDED:
            self._evidence.killed_during = step
        self._narrator.tell(Cell("kill -9", "bad"), f" of the daemon, in step {step!r}", at=killed_at)
        seconds = self._daemon.start()
        served = self._traffic.account().between(killed_at).sent
        self._narrator.tell(f"the daemon is back after {length(seconds)}; the router served {served} requests")

    def _see_clean_traffic(self) -> None:
        last = self._wait("traffic to be clean again", 20, self._calm_since)
        self._narrator.tell("the last failed order; clean from here on", at=last)

    def _calm_since(self) -> float | None:
        last = self._traffic.account().last_failure
        return last if last is not None and time.time() - last > CALM_SECONDS else None

    def _see_resolution(self) -> None:
        incident = self._evidence.incident = self._wait("the incident to resolve", 30, self._resolved_incident)
        self._narrator.tell("incident ", Cell(str(incident["id"]), "good"), " resolves", at=incident["resolved_at"])

    def _resolved_incident(self) -> Document | None:
        incident: Document = self._client.get(f"incidents/{self._evidence.incident['id']}")
        return incident if incident["status"] in ("resolved", "reviewed") else None

    def _gather(self) -> None:
        self._traffic.stop()
        evidence = self._evidence
        evidence.account = self._traffic.account()
        evidence.service = self._service()
        evidence.alert = next(
            (one for one in items(self._client.get("alerts"), "alerts") if one["id"] == evidence.alert["id"]),
            {**evidence.alert, "state": "resolved"},
        )
        evidence.logbook = self._client.get("logbook/verify")
        evidence.timeline = [
            entry for entry in items(self._client.get("logbook", {"limit": 1000}), "entries") if self._concerns(entry)
        ]

    def _concerns(self, entry: Document) -> bool:
        """Tell whether a logbook entry belongs to the incident's story."""
        subjects = {f"incident/{self._evidence.incident['id']}", f"operation/{self._evidence.rollback['id']}", "daemon"}
        subjects |= {f"alert/{alert}" for alert in self._evidence.incident["alerts"]}
        in_time = entry["time"] >= self._evidence.bad_deployed_at
        return in_time and (entry["subject"] in subjects or entry["kind"] == "policy.decision")

    def _service(self) -> Document:
        services = items(self._client.get("services"), "services")
        return next(one for one in services if (one["service"], one["environment"]) == (SERVICE, ENVIRONMENT))

    def _wait(self, what: str, seconds: float, look: Callable[[], T | None], *, pause: float = LOOK_SECONDS) -> T:
        """Look again and again until something is seen; a daemon that does not answer has not shown it yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                seen = look()
            except UnreachableError:
                seen = None
            if seen:
                return seen
            time.sleep(pause)
        raise _missing(f"waited {seconds:g} s in vain for {what}")


def _missing(what: str) -> CommandError:
    return CommandError(f"demo: {what}", exit_code=PROBLEMS)
