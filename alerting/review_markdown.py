"""A review as Markdown, for a wiki or a repository. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from alerting.incident_timeline import Line
from alerting.review import Review
from core.duration import spell_duration

TO_ADD = "_To be added by a person._"

_CODE = re.compile(r"(`[^`]+`)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def markdown(review: Review) -> str:
    """Return the report."""
    return "\n".join(_lines(review)).rstrip() + "\n"


def _lines(review: Review) -> Iterable[str]:
    incident = review.incident
    yield f"# Review of incident {incident.id}: {plain(incident.title)}"
    yield ""
    yield plain(review.summary)
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in facts(review):
        yield f"| {name} | {plain(value)} |"
    yield from _section("Impact", [*review.impact], review.said.get("impact"))
    yield from _section("Cause", [f"Candidate: {cause}" for cause in review.causes], review.said.get("cause"), ask=True)
    if review.acted:
        yield from _section("What was done", [f"{clock(line)} {line.text}" for line in review.acted])
    if review.notes:
        yield from _section("Notes", [f"{clock(line)} {line.text}: {line.detail}" for line in review.notes])
    yield from _section("Follow-ups", [*review.follow_ups], review.said.get("follow_ups"), boxes=True)
    if review.said.get("note"):
        yield from _section("Remarks", [], review.said["note"])
    yield from ("", "## Timeline", "", "Times are UTC.", "", "| time | what | more |", "|---|---|---|")
    for line in review.timeline:
        mark = "**suspect** " if line.is_suspect else ""
        yield f"| {stamp(line.entry.time)} | {mark}{plain(line.text)} | {plain(line.detail)} |"
    yield ""
    yield f"Drafted by Watchkeeper on {stamp(review.drafted_at)} UTC from its logbook."


def facts(review: Review) -> list[tuple[str, str]]:
    """Return the facts at the head of a report, those that are known."""
    incident = review.incident

    def at(moment: float | None, after: float | None = None, event: str = "it was detected") -> str:
        if moment is None:
            return ""
        return f"{stamp(moment)} UTC" + (f", {spell_duration(after)} after {event}" if after is not None else "")

    detected = review.detect_seconds
    found = [
        ("Status", incident.status.value),
        ("Severity", incident.severity.value),
        ("Service", " / ".join(part for part in (incident.service, incident.environment) if part)),
        ("Owner", incident.owner),
        ("Took part", ", ".join(review.people)),
        ("First sign", at(incident.opened_at - (detected or 0.0)) if detected is not None else ""),
        ("Detected", at(incident.opened_at, detected, "the first sign")),
        ("Acknowledged", at(incident.acknowledged_at, review.acknowledge_seconds)),
        ("Mitigated", at(incident.mitigated_at, _since(incident.opened_at, incident.mitigated_at))),
        ("Recovered", at(incident.resolved_at, review.recover_seconds)),
    ]
    return [(name, value) for name, value in found if value]


def _since(start: float, end: float | None) -> float | None:
    return None if end is None else end - start


def _section(
    title: str, drafted: list[str], said: str | None = None, *, boxes: bool = False, ask: bool = False
) -> Iterable[str]:
    yield from ("", f"## {title}", "")
    if said:
        yield from (plain(line) if line.strip() else "" for line in said.splitlines())
        yield ""
    bullet = "- [ ] " if boxes else "- "
    for text in drafted:
        yield bullet + plain(text)
    if not said and (ask or not drafted):
        yield ("\n" if drafted else "") + TO_ADD


def plain(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line; what stands in back-quotes is code."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if index % 2 else _SPECIAL.sub(r"\\\1", part) for index, part in enumerate(parts))


def stamp(moment: float) -> str:
    """Return a moment in UTC."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}"


def clock(line: Line) -> str:
    """Return the time of day of a line, UTC."""
    return f"{datetime.fromtimestamp(line.entry.time, UTC):%H:%M:%S}"
