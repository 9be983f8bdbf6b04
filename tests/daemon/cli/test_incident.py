"""`watchkeeper incident`: what it asks of the daemon, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.daemon.cli.conftest import Cli
from tests.daemon.cli.documents import NOW, incident
from tests.daemon.cli.fake_daemon import FakeDaemon


@pytest.mark.parametrize(
    ("arguments", "action", "body"),
    [
        (["ack", "7", "-m", "looking", "--as", "anna"], "acknowledge", {"note": "looking", "person": "anna"}),
        (["mitigate", "7"], "mitigate", {"note": "", "person": ""}),
        (["resolve", "7"], "resolve", {"note": "", "person": ""}),
        (["reopen", "7"], "reopen", {"note": "", "person": ""}),
        (["note", "7", "it is the release"], "note", {"note": "it is the release", "person": ""}),
        (["assign", "7", "bob"], "assign", {"owner": "bob", "note": "", "person": ""}),
        (["severity", "7", "low"], "severity", {"severity": "low", "note": "", "person": ""}),
        (["merge", "7", "3"], "merge", {"into": 3, "note": "", "person": ""}),
        (["split", "7", "a1", "a2", "--title", "x"], "split",
         {"alerts": ["a1", "a2"], "title": "x", "note": "", "person": ""}),
    ],
)  # fmt: skip
def test_each_command_asks_for_what_it_is_named_after(
    cli: Cli, fake: FakeDaemon, arguments: list[str], action: str, body: dict[str, Any]
) -> None:
    fake.on(f"incidents/7/{action}", incident(owner="anna", status="acknowledged"), method="POST")
    ran = cli("incident", *arguments)
    assert (ran.code, ran.out) == (0, "incident 7: acknowledged, critical, with anna: ShopErrors: shop/production\n")
    assert fake.requests[-1].body == body


def test_the_review_is_written_to_a_file(cli: Cli, fake: FakeDaemon, tmp_path: Path) -> None:
    fake.on("incidents/7/review", b"# Review")
    ran = cli("incident", "review", "7", "-o", str(tmp_path / "review.md"))
    assert (ran.code, ran.out) == (0, f"review of incident 7 written to {tmp_path / 'review.md'}\n")
    assert "Review" in (tmp_path / "review.md").read_text()


def test_a_file_that_cannot_be_written_is_said(cli: Cli, fake: FakeDaemon, tmp_path: Path) -> None:
    fake.on("incidents/7/review", b"# Review")
    ran = cli("incident", "review", "7", "-o", str(tmp_path))
    assert (ran.code, "give another file with --output" in ran.err) == (2, True)


def test_figures_are_a_table(cli: Cli, fake: FakeDaemon) -> None:
    spread = {"count": 1, "mean": 30.0, "median": 30.0, "worst": 60.0}
    one = {"incidents": 2, "open": 1, "detect": spread, "acknowledge": spread, "recover": spread}
    fake.on("incidents/figures", {"days": 30, "all": one, "services": [{"service": "shop", **one}]})
    assert "shop     2          1     30s       30s           30s   1m" in cli("incident", "figures").out


def test_an_incident_is_shown_with_alerts_suspects_and_timeline(cli: Cli, fake: FakeDaemon) -> None:
    line = {"time": NOW, "text": "ShopErrors fires", "detail": "33 % fail", "is_suspect": False}
    alert = {
        "id": "a1", "name": "ShopErrors", "resolved_at": None, "joined_at": NOW, "expr": "x",
        "annotations": {"summary": "33 % fail"},
    }  # fmt: skip
    document = incident(
        owner="anna", acknowledged_at=NOW - 50, acknowledged_by="anna", suspects=["shop 2.1, deployed 40 s before"],
        alert_details=[alert], timeline=[line],
    )  # fmt: skip
    fake.on("incidents/7", document)
    out = cli("incident", "show", "7").out
    for part in (
        "owner     anna",
        "after 10s by anna",
        "suspect   shop 2.1, deployed 40 s before",
        "33 % fail",
        "fires",
    ):
        assert part in out
