"""What the demo tells at its end."""

from __future__ import annotations

import io
from typing import Any

import pytest

from daemon.cli.demo.narrator import Narrator
from daemon.cli.demo.performance import Performance
from daemon.cli.demo.report import document, said_of, tell_report
from daemon.cli.demo.verdict import judge
from daemon.cli.output import Output
from tests.daemon.cli.demo.test_verdict import evidence
from tests.daemon.cli.documents import alert, entry, operation, step


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("operation.step", {"phase": "intent", "step": "record"}, ""),
        ("operation.step", {"phase": "result", "step": "record", "detail": "r1 serves"}, "record: r1 serves"),
        (
            "alert.firing",
            {"name": "ShopErrors", "severity": "critical", "value": 12.2935},
            "ShopErrors (critical), value 12.2935",
        ),
        (
            "incident.opened",
            {"title": "Errors", "service": "shop", "environment": "production"},
            "Errors (shop/production)",
        ),
        (
            "operation.requested",
            {"kind": "rollback", "service": "shop", "environment": "production", "reason": "alert ShopErrors firing"},
            "rollback of shop/production, because of alert ShopErrors firing",
        ),
        ("operation.succeeded", {}, "alert/a1"),
        ("policy.decision", {"reason": "act", "taken": True, "detail": ""}, "reason=act taken=True"),
    ],
)
def test_an_entry_is_told_in_words(kind: str, data: dict[str, Any], said: str) -> None:
    assert said_of(entry(kind=kind, data=data)) == said


def report(seen: Any) -> str:
    stream = io.StringIO()
    claims = judge(seen, killed=False, stopped_in_order=True)
    tell_report(Narrator(Output(stream)), Performance(seen, claims, 33.4))
    return stream.getvalue()


def test_a_true_story_ends_with_its_times() -> None:
    text = report(evidence(timeline=[entry()]))
    assert "time to detect   4s" in text
    assert "time to recover  4.9s" in text
    assert "requests         250 sent, 50 failed" in text
    assert "33.4s: all of it really happened" in text


def test_what_did_not_happen_is_marked() -> None:
    text = report(evidence(alert=alert(state="firing")))
    assert "✗ not so: the alert fired, and is over" in text
    assert "1 of it did not happen" in text


def test_the_document_names_what_is_missing() -> None:
    seen = evidence(alert=alert(state="firing"))
    performance = Performance(seen, judge(seen, killed=False, stopped_in_order=True), 33.4)
    told = document(performance)
    assert told["succeeded"] is False
    assert told["missing"] == ["the alert fired, and is over"]


def test_each_step_is_told_once() -> None:
    stream = io.StringIO()
    narrator = Narrator(Output(stream))
    narrator.steps(operation(steps=[step("record"), step("stop_r2", "running")]))
    narrator.steps(operation(steps=[step("record"), step("stop_r2")]))
    assert stream.getvalue().split() == ["✓", "record", "(1s)", "✓", "stop_r2", "(1s)"]


def test_a_silent_narrator_writes_nothing() -> None:
    stream = io.StringIO()
    Narrator(Output(stream), silent=True).tell("hello")
    assert stream.getvalue() == ""
