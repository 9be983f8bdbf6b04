"""Who is on call, who stands in, and how incidents escalate, as the API tells and takes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerting.escalation import ChainState, begin
from alerting.escalation_config import make_plan
from alerting.incident import IncidentStatus
from alerting.schedules import Schedules
from core.db.database import Database
from core.logbook import Logbook
from daemon.migrations import MIGRATIONS
from tests.alerting.escalation_house import escalation_config
from tests.daemon.api.conftest import Serve, Served

# The fake clock starts on 2023-11-14 22:13:20 UTC.

SCHEDULES = """
people: [{name: ana, receiver: ana}, {name: ben, receiver: ben}, {name: cem, receiver: cem}]
schedules:
  - {name: primary, time_zone: Europe/Berlin, layers: [{people: [ana, ben], rotate: daily, start: 2023-11-14}]}
  - {name: office, layers: [{people: [cem], hours: {windows: [{days: ['monday:friday'], from: '09:00', to: '17:00'}]}}]}
escalation_policies: [{name: default, steps: [{notify: [{schedule: primary}]}, {wait: 5m, notify: [{receiver: team}]}]}]
"""


@pytest.fixture
async def on_call(serve: Serve, tmp_path: Path) -> AsyncIterator[Served]:
    """A server whose daemon has two schedules on a real database."""
    here = await serve()
    database = Database(tmp_path / "state.db", MIGRATIONS, clock=here.clock, tasks=here.view.tasks)
    await database.start()
    config = escalation_config(SCHEDULES)
    schedules = Schedules(database, Logbook(database, here.clock), here.clock)
    schedules.configure([one.build() for one in config.schedules], {one.name: one.receiver for one in config.people})
    here.view.alerting.escalation.schedules = schedules
    yield here
    await database.stop()


async def test_it_says_who_is_on_call_now_and_next(on_call: Served) -> None:
    status, answer = await on_call.get("oncall")
    assert status == 200
    primary, office = answer["schedules"]
    start = 1_700_002_800.0  # 2023-11-15 00:00 in Berlin
    assert (primary["name"], primary["time_zone"], primary["people"]) == ("primary", "Europe/Berlin", ["ana"])
    assert primary["until"] == start
    assert primary["next"] == {"starts_at": start, "ends_at": start + 86_400, "people": ["ben"]}
    assert (office["people"], office["next"]["people"]) == ([], ["cem"])
    assert primary["shifts"] == primary["overrides"] == []


async def test_it_says_who_is_on_call_at_any_time_and_lists_shifts(on_call: Served) -> None:
    _, answer = await on_call.get("oncall", params={"at": "2023-11-20 12:00", "schedule": "primary", "days": "2"})
    (primary,) = answer["schedules"]
    assert primary["people"] == ["ana"]
    assert [shift["people"] for shift in primary["shifts"]] == [["ana"], ["ben"], ["ana"]]


async def test_somebody_stands_in_and_that_is_taken_back(on_call: Served) -> None:
    asked = {"schedule": "primary", "person": "cem", "to": "+8h", "comment": "ana is ill"}
    status, override = await on_call.post("oncall/overrides", asked)
    assert status == 201
    now = on_call.clock.now()
    assert (override["id"], override["starts_at"], override["ends_at"]) == (1, now, now + 8 * 3600)
    assert override["created_by"] == "local"
    _, answer = await on_call.get("oncall")
    assert answer["schedules"][0]["people"] == ["cem"]
    assert answer["schedules"][0]["overrides"] == [override]

    status, removed = await on_call.post("oncall/overrides/1/remove")
    assert (status, removed) == (200, override)
    assert (await on_call.get("oncall"))[1]["schedules"][0]["people"] == ["ana"]
    assert (await on_call.post("oncall/overrides/1/remove"))[0] == 404


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ({"schedule": "other", "person": "cem", "to": "+1h"}, 404, "there is no schedule 'other'"),
        ({"schedule": "primary", "person": "eve", "to": "+1h"}, 404, "there is no person 'eve'"),
        ({"schedule": "primary", "person": "cem", "instead_of": "eve", "to": "+1h"}, 404, "there is no person 'eve'"),
        ({"schedule": "primary", "person": "", "to": "+1h"}, 400, "'person' is empty"),
        ({"schedule": "primary", "person": "cem"}, 400, "'to' is required"),
        ({"schedule": "primary", "person": "cem", "to": "tomorrow"}, 400, "'tomorrow' is no moment"),
        ({"schedule": "primary", "person": "cem", "to": "2023-11-01"}, 400, "an override must end after it begins"),
        ({"schedule": "primary", "person": "cem", "from": "2020-01-01", "to": "2020-01-02"}, 400, "is over already"),
        ({"schedule": "primary", "person": "cem", "to": "+2y"}, 400, "within a year"),
        ({"schedule": "primary", "person": "cem", "to": "+1h", "why": "x"}, 400, "unknown key 'why'"),
        ({"schedule": "primary", "person": "cem", "to": "+1h", "comment": "x" * 501}, 400, "the comment is longer"),
    ],
)
async def test_an_override_that_makes_no_sense_is_refused(
    on_call: Served, asked: dict[str, str], status: int, message: str
) -> None:
    got, answer = await on_call.post("oncall/overrides", asked)
    assert got == status
    error = answer["error"]
    assert message in f"{error['message']}; {error['remedy']}"


@pytest.mark.parametrize(
    ("path", "status"),
    [("oncall?at=x", 400), ("oncall?days=93", 400), ("oncall?schedule=x", 404), ("incidents/1/escalation", 404),
     ("incidents/x/escalation", 404)],
)  # fmt: skip
async def test_what_is_not_there_is_said(on_call: Served, path: str, status: int) -> None:
    got, answer = await on_call.get(path)
    assert got == status
    assert answer["error"]["message"]


async def test_a_daemon_without_schedules_says_so(served: Served) -> None:
    assert (await served.get("oncall"))[1]["schedules"] == []
    assert (await served.get("oncall?schedule=x"))[0] == 404
    status, answer = await served.post("oncall/overrides", {"schedule": "primary", "person": "cem", "to": "+1h"})
    assert (status, answer["error"]["message"]) == (404, "there are no schedules")


async def test_an_incident_says_how_it_escalates(served: Served) -> None:
    config = escalation_config(SCHEDULES)
    plan = make_plan(config.escalation_policies[0], config.schedules, config.people)
    served.view.alerting.escalation.chains[7] = begin(7, plan, IncidentStatus.OPEN, 100.0)
    status, answer = await served.get("incidents/7/escalation")
    assert status == 200
    assert answer == {
        "incident": 7, "policy": "default", "state": ChainState.RUNNING.value, "step": 1, "round": 1, "due_at": 100.0,
        "told": [],
        "steps": [
            {"wait_seconds": 0.0, "targets": ["schedule primary"]},
            {"wait_seconds": 300.0, "targets": ["receiver team"]}
        ],
    }  # fmt: skip


async def test_overrides_survive_a_restart(tmp_path: Path, on_call: Served) -> None:
    from alerting.escalation_store import load_overrides  # noqa: PLC0415 - beside its only use

    await on_call.post("oncall/overrides", {"schedule": "primary", "person": "cem", "to": "+8h"})
    schedules = on_call.view.alerting.escalation.schedules
    assert schedules is not None
    now = on_call.clock.now()
    stored = await schedules._database.read(lambda connection: load_overrides(connection, now))
    assert [(one.person, one.ends_at) for one in stored] == [("cem", now + 8 * 3600)]
    entries = await schedules._logbook.read(kind="schedule.")
    assert [(entry.kind, entry.subject, entry.actor) for entry in entries] == [
        ("schedule.override_added", "schedule/primary", "local")
    ]
