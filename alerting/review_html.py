"""A review as one HTML file that needs nothing else: styles and charts inside, no scripts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from alerting.incident_timeline import About, Line
from alerting.review import Drawn, Review
from alerting.review_chart import COLOURS, svg
from alerting.review_markdown import clock, facts, stamp
from core.duration import spell_duration

_CODE = re.compile(r"`([^`]+)`")
_STYLE = """
:root { --ink: #18211f; --soft: #57635f; --line: #dfe4e2; --wash: #f3f6f5; --accent: #0f6b85; --bad: #b8322a;
  --warn: #8f5f00; --good: #1d7a4c; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 400 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 44px 24px 60px; }
h1 { margin: 0 0 10px; font-size: 27px; line-height: 1.2; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { margin: 36px 0 10px; font-size: 18px; letter-spacing: -0.01em; }
p, ul { margin: 0 0 10px; } ul { padding-left: 20px; } li { margin: 3px 0; overflow-wrap: anywhere; }
.lead { color: var(--soft); font-size: 17px; margin-bottom: 22px; } .kicker { color: var(--soft); font-weight: 600;
  font-size: 13px; margin: 0 0 6px; } .soft { color: var(--soft); } .said { white-space: pre-line; }
.times { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0 0 22px; }
.times div { padding: 12px 14px; border: 1px solid var(--line); border-radius: 10px; }
.times dt { color: var(--soft); font-size: 13px; } .times dd { margin: 2px 0 0; font-size: 21px; font-weight: 600; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 500; width: 130px; vertical-align: top; }
td, th { padding: 5px 10px 5px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.timeline td { vertical-align: top; } .timeline td:first-child { white-space: nowrap; color: var(--soft); width: 92px;
  font-variant-numeric: tabular-nums; }
.timeline .more { color: var(--soft); white-space: pre-line; } .timeline tr.after td { color: var(--soft); }
.dot { display: inline-block; width: 8px; height: 8px; margin-right: 8px; border-radius: 50%; background: #9aa6a2; }
.dot.alert { background: var(--bad); } .dot.status { background: var(--ink); } .dot.note { background: #6b5fb0; }
.dot.operation { background: var(--accent); } .dot.change { background: var(--warn); }
.dot.good { background: var(--good); }
.tag { padding: 1px 7px; border-radius: 9px; background: #fbf0d9; color: var(--warn); font-size: 12px;
  font-weight: 600; }
.ask { padding: 10px 14px; border-left: 3px solid var(--line); color: var(--soft); background: var(--wash); }
figure { margin: 0 0 20px; } figcaption { font-size: 14px; margin-bottom: 4px; } figcaption code { color: var(--soft); }
code { font: 12.5px/1.5 ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.chart { display: block; width: 100%; height: auto; } .grid { stroke: var(--line); } .tick { font-size: 11px;
  fill: #6c7773; } .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .line-0 { stroke: var(--accent); }
.line-1 { stroke: #c2691c; } .line-2 { stroke: #6b5fb0; } .line-3 { stroke: #7b8985; }
.threshold { stroke: var(--bad); stroke-dasharray: 5 4; } .mark { stroke: #18211f; stroke-dasharray: 2 3; }
.mark-word { font-size: 11px; fill: #18211f; } .legend { font-size: 12.5px; color: var(--soft); margin: 2px 0 0; }
.legend span { margin-right: 14px; } .swatch { display: inline-block; width: 14px; height: 3px; margin: 0 6px 3px 0;
  background: var(--accent); } .swatch-1 { background: #c2691c; } .swatch-2 { background: #6b5fb0; }
.swatch-3 { background: #7b8985; } .swatch-t { background: var(--bad); }
@media print { main { padding: 0; max-width: none; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def html(review: Review) -> str:
    """Return the report as a whole document."""
    incident = review.incident
    title = f"Review of incident {incident.id}: {incident.title}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        + "".join(_parts(review))
        + "</main></body></html>\n"
    )


def _parts(review: Review) -> Iterable[str]:
    incident = review.incident
    yield f'<p class="kicker">Post-incident review · incident {incident.id}</p><h1>{escape(incident.title)}</h1>'
    yield f'<p class="lead">{escape(review.summary)}</p>'
    yield _times(review)
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts(review))
    yield f"<table>{rows}</table>"
    yield _section("Impact", review.impact, review.said.get("impact"))
    yield _section("Cause", [f"Candidate: {one}" for one in review.causes], review.said.get("cause"), ask=True)
    if review.drawn:
        yield "<h2>What the metrics showed</h2>" + "".join(_figure(one, review) for one in review.drawn)
    if review.acted:
        yield _section("What was done", [f"{clock(line)} {line.text}" for line in review.acted])
    if review.notes:
        yield _section("Notes", [f"{clock(line)} {line.text}: {line.detail}" for line in review.notes])
    yield _section("Follow-ups", review.follow_ups, review.said.get("follow_ups"))
    if review.said.get("note"):
        yield _section("Remarks", (), review.said["note"])
    yield '<h2>Timeline</h2><p class="soft">Times are UTC.</p>'
    yield f'<table class="timeline">{"".join(_row(line) for line in review.timeline)}</table>'
    yield f'<p class="soft">Drafted by Watchkeeper on {stamp(review.drafted_at)} UTC from its logbook.</p>'


def _times(review: Review) -> str:
    times = [
        ("Time to detect", review.detect_seconds),
        ("Time to acknowledge", review.acknowledge_seconds),
        ("Time to recover", review.recover_seconds),
    ]
    boxes = "".join(
        f"<div><dt>{name}</dt><dd>{'&ndash;' if seconds is None else escape(spell_duration(seconds))}</dd></div>"
        for name, seconds in times
    )
    return f'<dl class="times">{boxes}</dl>'


def _section(title: str, drafted: Iterable[str], said: str | None = None, *, ask: bool = False) -> str:
    items = "".join(f"<li>{_coded(text)}</li>" for text in drafted)
    body = f'<p class="said">{escape(said)}</p>' if said else ""
    body += f"<ul>{items}</ul>" if items else ""
    if not said and (ask or not items):
        body += '<p class="ask">To be added by a person.</p>'
    return f"<h2>{escape(title)}</h2>{body}"


def _coded(text: str) -> str:
    """Return a drafted text; what stands in back-quotes is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _figure(drawn: Drawn, review: Review) -> str:
    incident = review.incident
    moments = [(incident.opened_at, "opened"), (incident.resolved_at, "resolved")]
    marks = [(moment, word) for moment, word in moments if moment is not None]
    releases = [line.entry.time for line in review.timeline if line.is_suspect]
    marks += [(moment, "change") for moment in releases[-1:]]
    names = "".join(
        f'<span><i class="swatch swatch-{index % COLOURS}"></i>{escape(name)}</span>'
        for index, (name, _) in enumerate(drawn.series)
        if name
    )
    if drawn.plot.threshold is not None:
        names += f'<span><i class="swatch swatch-t"></i>threshold {drawn.plot.threshold:g}</span>'
    head = f"<strong>{escape(drawn.plot.title)}</strong> <code>{escape(drawn.plot.query)}</code>"
    return f'<figure><figcaption>{head}</figcaption>{svg(drawn, marks)}<p class="legend">{names}</p></figure>'


def _row(line: Line) -> str:
    kind = line.about.value if line.about is not About.ESCALATION else "notification"
    kind = "good" if line.entry.kind.endswith((".resolved", ".succeeded")) else kind
    tag = ' <span class="tag">suspect</span>' if line.is_suspect else ""
    more = f'<div class="more">{escape(line.detail)}</div>' if line.detail else ""
    day = escape(f"{stamp(line.entry.time)}")
    return (
        f'<tr><td title="{day}">{clock(line)}</td>'
        f'<td><i class="dot {kind}"></i>{escape(line.text)}{tag}{more}</td></tr>'
    )
