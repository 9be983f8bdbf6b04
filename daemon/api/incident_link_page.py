"""The page that a link in a notification opens: it asks first, works without a session, and needs no script."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from aiohttp import web

from alerting.incident import Incident, IncidentStatus
from alerting.incident_link import Claim
from alerting.incident_work import MAX_NAME
from core.errors import ConflictError, NotFoundError, StoreUnavailableError, UserError, WatchkeeperError
from daemon.api.alerting_view import RoomView
from daemon.api.answer import status_of

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}

_STYLE = """
:root { color-scheme: light dark; --ground: #f5f6f5; --surface: #fff; --line: #e1e5e3; --ink: #18211f;
  --soft: #57635f; --accent: #0f6b85; --on-accent: #fff; --bad: #b8322a; --good: #1d7a4c; }
@media (prefers-color-scheme: dark) { :root { --ground: #0e1413; --surface: #161d1c; --line: #27302f; --ink: #e7eceb;
  --soft: #a3aeab; --accent: #5fb6d0; --on-accent: #06222b; --bad: #f0857c; --good: #5cc48d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 400 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 460px; margin: 0 auto; padding: 32px 16px; }
.brand { margin: 0 0 16px; color: var(--soft); font-size: 14px; font-weight: 600; }
.card { padding: 22px 20px 20px; border: 1px solid var(--line); border-radius: 12px; background: var(--surface); }
h1 { margin: 0 0 6px; font-size: 22px; line-height: 1.25; letter-spacing: -0.01em; overflow-wrap: anywhere; }
p { margin: 0 0 12px; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 14px; margin: 14px 0 18px; font-size: 15px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
label { display: block; margin-bottom: 4px; color: var(--soft); font-size: 14px; }
input { width: 100%; margin-bottom: 14px; padding: 10px 12px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--ground); color: inherit; font: inherit; }
button { width: 100%; padding: 13px 16px; border: 0; border-radius: 8px; background: var(--accent);
  color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
a { color: var(--accent); } .soft { color: var(--soft); font-size: 14px; margin: 14px 0 0; }
.sign { font-weight: 600; margin-bottom: 8px; } .good { color: var(--good); } .bad { color: var(--bad); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
"""


async def page_of_link(room: RoomView, token: str) -> web.Response:
    """Return the page that says what a link would do, with the button that does it."""
    try:
        claim, incident, used = await room.desk.link_state(token)
    except WatchkeeperError as error:
        return _refusal(room, error)
    if used or incident.status is not IncidentStatus.OPEN:
        return _page(_head(incident), _state(incident), _facts(incident))
    return _page(_head(incident), _facts(incident), _form(claim))


async def page_of_used_link(room: RoomView, token: str, person: str) -> web.Response:
    """Do what a link is for, and return the page that says what came of it."""
    try:
        incident = await room.desk.acknowledge_by_link(token, person)
    except (ConflictError, NotFoundError) as error:
        room.metrics.link_used("refused")
        return await _unless_done(room, token, error)
    except WatchkeeperError as error:
        return _refusal(room, error)
    room.metrics.link_used("acknowledged")
    done = '<p class="sign good">✓ Acknowledged</p>'
    return _page(done, _head(incident), f"<p>{escape(incident.owner)} works on it now.</p>", _facts(incident))


async def _unless_done(room: RoomView, token: str, error: UserError) -> web.Response:
    try:
        _, incident, _ = await room.desk.link_state(token)
    except WatchkeeperError:
        return _refusal(room, error)
    return _page(_head(incident), _state(incident), _facts(incident), status=409)


def _refusal(room: RoomView, error: WatchkeeperError) -> web.Response:
    message, _, remedy = str(error).partition("; ")
    if not isinstance(error, StoreUnavailableError):
        room.metrics.link_used("refused")
    parts = f'<p class="sign bad">{escape(_sentence(message))}</p><p>{escape(_sentence(remedy))}</p>'
    return _page(parts, status=status_of(error))


def _head(incident: Incident) -> str:
    return f"<h1>{escape(incident.title)}</h1>"


def _state(incident: Incident) -> str:
    by = f" by {escape(incident.acknowledged_by)}" if incident.status is IncidentStatus.ACKNOWLEDGED else ""
    state = f"It is {escape(incident.status.value)}{by}"
    return f'<p class="sign good">✓ {state}: there is nothing left to acknowledge.</p>'


def _facts(incident: Incident) -> str:
    service = " / ".join(part for part in (incident.service, incident.environment) if part)
    opened = datetime.fromtimestamp(incident.opened_at, UTC)
    facts = {
        "Incident": f"{incident.id}",
        "Severity": incident.severity.value,
        "Status": incident.status.value,
        "Service": service,
        "Owner": incident.owner,
        "Opened": f"{opened:%Y-%m-%d %H:%M:%S} UTC",
        "Alerts": f"{len(incident.active)} of {len(incident.alerts)} fire",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    return f"<dl>{rows}</dl>"


def _form(claim: Claim) -> str:
    name = (
        f"<p>You are {escape(claim.person)}.</p>"
        if claim.person
        else '<label for="person">Your name, for the others</label>'
        f'<input id="person" name="person" maxlength="{MAX_NAME}" autocomplete="name">'
    )
    return (
        f'<form method="post">{name}<button type="submit">Acknowledge: I work on it</button></form>'
        '<p class="soft">It stops the escalation. Nothing is done until you press the button.</p>'
    )


def _page(*parts: str, status: int = 200) -> web.Response:
    console = '<p class="soft"><a href="/#incidents/all">The console</a></p>'
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>Watchkeeper: incident</title><style>{_STYLE}</style></head><body><main>"
        f'<p class="brand">Watchkeeper</p><section class="card">{"".join(parts)}</section>{console}'
        "</main></body></html>"
    )
    return web.Response(text=body, status=status, content_type="text/html", charset="utf-8", headers=_HEADERS)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("." if text and not text.endswith(".") else "")
