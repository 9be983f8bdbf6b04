"""`watchkeeper oncall` over an API that answers as told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.cli.wording import date_time
from tests.daemon.cli.conftest import Cli
from tests.daemon.cli.fake_daemon import FakeDaemon

START = 1_700_000_000.0


def schedule(**more: Any) -> dict[str, Any]:
    coming = {"starts_at": START + 60, "ends_at": START + 120, "people": ["ben", "cem"]}
    return {"name": "primary", "time_zone": "Europe/Berlin", "people": ["ana"], "until": START + 60, "next": coming,
            "overrides": [], "shifts": [], **more}  # fmt: skip


OVERRIDE = {"id": 3, "schedule": "primary", "person": "cem", "instead_of": "ana", "starts_at": START,
            "ends_at": START + 60, "created_by": "local", "comment": "ill"}  # fmt: skip


def test_who_is_on_call_is_a_line_per_schedule(cli: Cli, fake: FakeDaemon) -> None:
    alone = schedule(name="b", people=["eve"], until=None, next=None)
    fake.on("oncall", {"at": START, "schedules": [schedule(), alone]})
    ran = cli("oncall")
    assert ran.code == 0
    assert [line.split() for line in ran.out.splitlines()] == [
        ["SCHEDULE", "ON", "CALL", "UNTIL", "THEN", "ZONE"],
        ["primary", "ana", *date_time(START + 60).split(), "ben,", "cem", "Europe/Berlin"],
        ["b", "eve", "-", "-", "Europe/Berlin"],
    ]


def test_the_exit_code_says_that_nobody_is(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("oncall", {"at": START, "schedules": [schedule(people=[])]})
    ran = cli("oncall", "--at", "+8h", "--schedule", "primary")
    assert (ran.code, "nobody" in ran.out) == (1, True)
    assert fake.requests[0].parameters == {"at": "+8h", "schedule": "primary"}


def test_shifts_and_overrides_are_listed(cli: Cli, fake: FakeDaemon) -> None:
    shifts = [{"starts_at": START, "ends_at": START + 60, "people": ["ana"]}]
    fake.on(
        "oncall", {"at": START, "schedules": [schedule(shifts=shifts, overrides=[OVERRIDE, {**OVERRIDE, "id": None}])]}
    )
    ran = cli("oncall", "--days", "7")
    assert fake.requests[0].parameters == {"days": "7"}
    assert f"{date_time(START)}  {date_time(START + 60)}  ana" in ran.out
    assert f"3       cem for ana, {date_time(START)} to {date_time(START + 60)}  ill" in ran.out
    assert "config  cem for ana" in ran.out


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_without_schedules_it_says_where_they_go(cli: Cli, fake: FakeDaemon, arguments: tuple[str, ...]) -> None:
    fake.on("oncall", {"at": START, "schedules": []})
    ran = cli("oncall", *arguments)
    assert ran.code == 0
    assert "schedules" in ran.out


def test_an_override_is_added_and_removed(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("oncall/overrides", OVERRIDE, method="POST", status=201)
    ran = cli("oncall", "override", "add", "primary", "cem", "--to", "+8h", "--instead-of", "ana", "--comment", "ill")
    assert ran.code == 0
    assert ran.out.startswith("Override 3: cem for ana, ")
    assert fake.requests[0].body == {
        "schedule": "primary", "person": "cem", "from": "now", "to": "+8h", "instead_of": "ana", "comment": "ill"
    }  # fmt: skip
    fake.on("oncall/overrides/3/remove", OVERRIDE, method="POST")
    ran = cli("oncall", "override", "remove", "3", "--json")
    assert json.loads(ran.out) == OVERRIDE


def test_a_refusal_is_one_line(cli: Cli, fake: FakeDaemon) -> None:
    error = {"error": {"message": "there is no person 'eve'", "remedy": "known are: ana"}}
    fake.on("oncall/overrides", error, method="POST", status=404)
    ran = cli("oncall", "override", "add", "primary", "eve", "--to", "+8h")
    assert (ran.code, ran.err) == (2, "watchkeeper: there is no person 'eve'; known are: ana\n")
