"""Commands that show what the daemon knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daemon.cli.wording import date_time
from tests.daemon.cli import documents
from tests.daemon.cli.conftest import Cli
from tests.daemon.cli.documents import NOW, alert, entry, incident, operation, overview, service, step, target
from tests.daemon.cli.fake_daemon import FakeDaemon


def test_status_of_a_healthy_machine_is_short(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("overview", overview())
    ran = cli("status")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "Watchkeeper 0.1.0 on host: healthy  (up 3m12s)",
        f"Config: /etc/watchkeeper.yml  (loaded {date_time(NOW - 192)})",
        "",
        "Targets: 1 of 1 up",
        "",
        "Alerts: 0 firing",
        "",
        "Incidents: 0 open",
    ]


def test_status_shows_all_that_is_wrong_and_under_way(cli: Cli, fake: FakeDaemon) -> None:
    document = overview(
        "unhealthy",
        config={"file": "w.yml", "loaded_at": NOW, "error": "w.yml:3:1: sevices: unknown key"},
        targets=[target(), target(health="down", source="scrape/db", last_error="connection refused")],
        alerts=[alert(), alert(state="pending")],
        incidents=[incident(), incident(status="resolved", title="Old")],
        services=[service()],
        operations=[operation(state="running", ended_at=None, steps=[step("start instances", "running")])],
    )
    document["health"]["reasons"] = [{"aspect": "availability", "status": "unhealthy", "message": "shop fails"}]
    fake.on("overview", document)
    ran = cli("status")
    assert ran.code == 1
    text = " ".join(ran.out.split())
    for part in (
        "host: unhealthy",
        "unhealthy availability: shop fails",
        "Config: w.yml:3:1: sevices: unknown key; the configuration from before is in use",
        "1 of 2 up",
        "down scrape/db connection refused",
        "1 firing, 1 pending",
        "critical firing ShopErrors shop/production 1m 33 % of requests fail",
        "1 open",
        "shop/production 1.4.2 (r2) 1.4.1 (r1) 1 of 1 127.0.0.1:8080 baking",
        "1 operation under way",
        "start instances",
    ):
        assert part in text
    assert "Old" not in text


@pytest.mark.parametrize(
    ("arguments", "path", "document"),
    [
        (("status",), "overview", overview()),
        (("alerts",), "alerts", [alert()]),
        (("incidents",), "incidents", [incident()]),
        (("incidents", "7"), "incidents/7", incident(timeline=[entry()])),
        (("targets",), "targets", [target()]),
        (("operations",), "operations", [operation()]),
        (("operations", "01J"), "operations/01J", operation()),
        (("logbook",), "logbook", [entry()]),
        (("logbook", "verify"), "logbook/verify", {"entries": 3, "faults": []}),
        (("query", "up"), "query", documents.vector(({"job": "shop"}, "1"))),
    ],
)
def test_json_is_exactly_the_document(
    cli: Cli, fake: FakeDaemon, arguments: tuple[str, ...], path: str, document: Any
) -> None:
    fake.on(path, document)
    ran = cli(*arguments, "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == document


def test_a_list_under_its_name_is_read_like_a_bare_one(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("alerts", {"alerts": [alert()]})
    assert "ShopErrors" in cli("alerts").out


def test_alerts_show_the_firing_ones_unless_all_are_wanted(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("alerts", [alert(), alert(state="resolved", name="Past", resolved_at=NOW)])
    assert "Past" not in cli("alerts").out
    assert "Past" in cli("alerts", "--all").out


def test_plain_tables_are_aligned_and_without_colour(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("targets", [target(), target(source="system", health="down", last_error="gone")])
    ran = cli("targets")
    assert ran.code == 1
    header, up, down = ran.out.splitlines()
    assert "\x1b" not in ran.out
    assert header.index("TARGET") == up.index("scrape/shop") == down.index("system")
    assert "12ms" in up
    assert down.endswith("gone")


@pytest.mark.parametrize(
    ("command", "path", "message"),
    [
        ("alerts", "alerts", "No alert is firing."),
        ("incidents", "incidents", "No incident yet."),
        ("targets", "targets", "No target."),
        ("operations", "operations", "No operation yet."),
        ("logbook", "logbook", "No entry."),
    ],
)
def test_nothing_to_show_is_said(cli: Cli, fake: FakeDaemon, command: str, path: str, message: str) -> None:
    fake.on(path, [])
    ran = cli(command)
    assert (ran.code, ran.out) == (0, message + "\n")


def test_an_incident_is_shown_with_its_timeline(cli: Cli, fake: FakeDaemon) -> None:
    line = {"time": NOW, "text": "ShopErrors fires", "detail": "33 % fail", "is_suspect": False}
    fake.on("incidents/7", incident(status="resolved", resolved_at=NOW - 20, timeline=[line]))
    out = cli("incidents", "7").out
    assert "Incident 7: ShopErrors: shop/production" in out
    assert f"resolved  {date_time(NOW - 20)}, after 40s" in out
    assert "ShopErrors fires  33 % fail" in out


def test_control_characters_of_a_label_never_reach_the_terminal(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("alerts", [alert(name="\x1b]0;owned\x07evil\nline")])
    out = cli("alerts").out
    assert "\x1b" not in out
    assert out.count("\n") == 2
    assert "evil line" in out


def test_an_operation_is_shown_with_its_steps(cli: Cli, fake: FakeDaemon) -> None:
    steps = [step("fetch artifact"), step("check health", "failed", "no answer"), step("switch traffic", "skipped")]
    fake.on("operations/01J", operation(state="failed", error="check health: no answer", steps=steps, reason="release"))
    ran = cli("operations", "01J")
    assert ran.code == 1
    for part in (
        "Operation 01J: deploy of shop/production",
        "reason  release",
        "artifact=/srv/shop",
        "✓ fetch artifact  (1s)",
        "✗ check health  no answer  (1s)",
        "- switch traffic",
        "deploy of shop/production: failed: check health: no answer",
    ):
        assert part in ran.out


def test_operations_of_one_service_are_asked_for(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("operations", [operation()])
    assert "deploy  shop/production  succeeded" in cli("operations", "--service", "shop", "-n", "5").out
    assert fake.requests[0].parameters == {"service": "shop", "limit": "5"}


def test_logbook_asks_for_the_newest_of_a_kind(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("logbook", [entry()])
    out = cli("logbook", "--kind", "alert.", "--subject", "alert/a1", "-n", "2").out
    assert fake.requests[0].parameters == {"kind": "alert.", "subject": "alert/a1", "limit": "2", "newest": "1"}
    assert out.startswith(date_time(NOW + 1))


def test_logbook_follows_until_it_is_interrupted(cli: Cli, fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("daemon.cli.logbook.time.sleep", sleep)
    fake.on("logbook", [entry(1)], [entry(2)], [])
    ran = cli("logbook", "--follow", "--json")
    assert ran.code == 130
    assert [json.loads(line)["number"] for line in ran.out.splitlines()] == [1, 2]
    assert [request.parameters.get("after") for request in fake.requests] == [None, "1", "2"]


def test_faults_of_the_logbook_are_named(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("logbook/verify", {"entries": 3, "faults": [{"number": 2, "reason": "changed: it was touched"}]})
    ran = cli("logbook", "verify")
    assert (ran.code, ran.out) == (1, "entry 2: changed: it was touched\nlogbook: 1 fault in 3 entries\n")


@pytest.mark.parametrize(
    ("status", "document", "code"),
    [
        (200, {"status": "healthy", "reasons": []}, 0),
        (200, {"status": "degraded", "reasons": []}, 0),
        (200, {"status": "unhealthy", "reasons": []}, 0),
        (200, {"status": "failing", "reasons": []}, 1),
        (500, {"status": "healthy"}, 1),
        (200, b"hello", 1),
    ],
)
def test_healthcheck_tells_by_its_exit_code(cli: Cli, fake: FakeDaemon, status: int, document: Any, code: int) -> None:
    fake.on("/-/healthy", document, status=status)
    assert cli("healthcheck").code == code


def test_healthcheck_of_a_dead_daemon_is_1(run: Cli, free_port: int) -> None:
    assert run("healthcheck", "--url", f"http://127.0.0.1:{free_port}").code == 1
