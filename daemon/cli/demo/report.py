"""The end of the demo: the incident's timeline, the times, and what is true."""

from __future__ import annotations

from typing import Any

from daemon.cli.demo.narrator import Narrator
from daemon.cli.demo.performance import Performance
from daemon.cli.demo.verdict import times
from daemon.cli.logbook import details
from daemon.cli.output import Cell
from daemon.cli.wording import clock_time, length, number


def tell_report(narrator: Narrator, performance: Performance) -> None:
    """Write the report for a person."""
    evidence, measured = performance.evidence, times(performance.evidence)
    narrator.line()
    narrator.line(Cell(f"Incident {evidence.incident['id']}", "strong"), ", from the logbook")
    for entry in evidence.timeline:
        if said := said_of(entry):
            what = f"{entry['kind']:<20}"
            narrator.line(Cell(f"  {clock_time(entry['time'])}  ", "dim"), what, f"  {_brief(said)}")
    narrator.line()
    narrator.line("  time to detect   ", Cell(length(measured.detect), "strong"), "  first failed request to alert")
    narrator.line("  time to recover  ", Cell(length(measured.recover), "strong"), "  first to last failed request")
    narrator.line(f"  requests         {evidence.account.sent} sent, {evidence.account.failed} failed")
    narrator.line()
    for claim in performance.claims:
        narrator.line("  ", Cell("✓", "good") if claim.holds else Cell("✗ not so:", "bad"), f" {claim.text}")
    narrator.line()
    wrong = sum(not claim.holds for claim in performance.claims)
    verdict = Cell("all of it really happened", "good") if not wrong else Cell(f"{wrong} of it did not happen", "bad")
    narrator.line(f"{length(performance.seconds)}: ", verdict)


def said_of(entry: dict[str, Any]) -> str:
    """Return what a logbook entry tells a person; empty for an intent, whose result follows."""
    kind, data = entry["kind"], entry["data"]
    if kind == "operation.step":
        return "" if data.get("phase") == "intent" else f"{data.get('step')}: {data.get('detail') or data.get('state')}"
    if kind.startswith("alert."):
        return f"{data.get('name')} ({data.get('severity')}), value {number(float(data.get('value') or 0))}"
    if kind.startswith("incident."):
        return f"{data.get('title') or data.get('alert_name') or ''} ({data.get('service')}/{data.get('environment')})"
    if kind == "operation.requested":
        return f"{data.get('kind')} of {data.get('service')}/{data.get('environment')}, because of {data.get('reason')}"
    return details(data) or entry["subject"]


def _brief(text: str) -> str:
    return text if len(text) <= 90 else text[:89] + "…"


def document(performance: Performance) -> dict[str, Any]:
    """Return the report as a document."""
    evidence, measured = performance.evidence, times(performance.evidence)
    return {
        "succeeded": all(claim.holds for claim in performance.claims),
        "missing": [claim.text for claim in performance.claims if not claim.holds],
        "seconds": performance.seconds,
        "time_to_detect_seconds": measured.detect,
        "time_to_recover_seconds": measured.recover,
        "requests": {"sent": evidence.account.sent, "failed": evidence.account.failed, "lost": evidence.account.lost},
        "killed_during": evidence.killed_during or None,
        "incident": evidence.incident,
        "rollback": evidence.rollback,
        "timeline": evidence.timeline,
    }
