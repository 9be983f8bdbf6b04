"""Silences on the command line."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.daemon.cli.conftest import Cli
from tests.daemon.cli.fake_daemon import FakeDaemon

ID = "c0ffee00-0000-4000-8000-000000000000"


def silence(**changes: Any) -> dict[str, Any]:
    return {
        "id": ID, "status": {"state": "active"}, "updatedAt": "2023-11-14T22:13:20.000Z", "comment": "new disk",
        "createdBy": "ann", "endsAt": "2033-11-14T22:13:20.000Z", "startsAt": "2023-11-14T22:13:20.000Z",
        "matchers": [{"isEqual": True, "isRegex": False, "name": "alertname", "value": "Disk"}],
    } | changes  # fmt: skip


def test_add_says_what_it_hits(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("/api/v2/silences", {"silenceID": ID}, method="POST")
    fake.on("/api/v2/alerts", [{"labels": {"alertname": "Disk", "instance": "a"}}])
    ran = cli("silence", "add", "Disk", 'team=~"shop|web"', "-c", "new disk", "-a", "ann", "-d", "2h")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f'Silence {ID}; it matches 1 alert firing now.\n  {{alertname="Disk", instance="a"}}\n'
    sent = fake.requests[0].body
    assert sent["matchers"] == [
        {"name": "alertname", "value": "Disk", "isRegex": False, "isEqual": True},
        {"name": "team", "value": "shop|web", "isRegex": True, "isEqual": True},
    ]
    assert (sent["createdBy"], sent["comment"]) == ("ann", "new disk")
    lasts = datetime.fromisoformat(sent["endsAt"]) - datetime.fromisoformat(sent["startsAt"])
    assert lasts.total_seconds() == 7200


def test_add_takes_times(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("/api/v2/silences", {"silenceID": ID}, method="POST")
    ran = cli(
        "silence", "add", "a=b", "-c", "x", "--start", "2030-01-01T00:00Z", "--end", "2030-01-02T00:00Z", "--json"
    )
    assert json.loads(ran.out) == {"silenceID": ID}
    sent = fake.requests[0].body
    assert (sent["startsAt"], sent["endsAt"]) == ("2030-01-01T00:00:00.000Z", "2030-01-02T00:00:00.000Z")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a=b"], "a silence needs a reason; give it with --comment, for whoever looks for the alert"),
        (["a=~(", "-c", "x"], "is no regular expression"),
        (["{", "-c", "x"], "has a brace"),
        (["a=b", "-c", "x", "-d", "soon"], "--duration: "),
        (["a=b", "-c", "x", "--end", "soon"], "--end is 'soon'; give a time such as 2026-01-31T18:00"),
    ],
)
def test_wrong_words_are_explained(cli: Cli, arguments: list[str], message: str) -> None:
    ran = cli("silence", "add", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_list_shows_what_is_not_over(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("/api/v2/silences", [silence(), silence(id="other", status={"state": "expired"})])
    ran = cli("silence", "list", "alertname=Disk")
    assert fake.requests[0].parameters == {"filter": 'alertname="Disk"'}
    (head, row) = ran.out.splitlines()
    assert head.split() == ["ID", "STATE", "MATCHERS", "ENDS", "IN", "BY", "COMMENT"]
    assert row.startswith(f'{ID}  active  alertname="Disk"  ')
    assert row.endswith("ann  new disk")
    assert "other" in cli("silence", "list", "--expired").out
    fake.on("/api/v2/silences", [])
    assert cli("silence", "list").out == "No silence.\n"


def test_update_keeps_what_is_not_told(cli: Cli, fake: FakeDaemon) -> None:
    fake.on(f"/api/v2/silence/{ID}", silence())
    fake.on("/api/v2/silences", {"silenceID": ID}, method="POST")
    ran = cli("silence", "update", ID, "--end", "2031-01-01T00:00Z")
    assert ran.code == 0
    assert fake.requests[1].body == silence(endsAt="2031-01-01T00:00:00.000Z")


def test_expire_goes_on_after_one_that_is_not_known(cli: Cli, fake: FakeDaemon) -> None:
    fake.on(f"/api/v2/silence/{ID}", b"", method="DELETE")
    fake.on("/api/v2/silence/x", "silence 'x' is not known", status=404, method="DELETE")
    ran = cli("silence", "expire", "x", ID)
    assert ran.code == 1
    assert ran.out == f"x: silence 'x' is not known\nSilence {ID} has ended.\n"


def test_a_refusal_is_one_line(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("/api/v2/silences", "end time can't be in the past; end the silence later", status=400, method="POST")
    ran = cli("silence", "add", "a=b", "-c", "x")
    assert (ran.code, ran.err) == (2, "watchkeeper: end time can't be in the past; end the silence later\n")
    fake.on("/api/v2/silence/x", {"code": 601, "message": "must be of type uuid"}, status=422, method="DELETE")
    assert cli("silence", "expire", "x").err == "watchkeeper: must be of type uuid\n"
