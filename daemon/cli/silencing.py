"""Silences: `watchkeeper silence add`, `list`, `update`, `expire`."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.duration import parse_duration
from core.errors import UserError
from daemon.cli.failure import OK, PROBLEMS, CommandError
from daemon.cli.options import DEFAULT_URL, Client, Json, TokenFile, Url, now
from daemon.cli.output import Output
from daemon.cli.wording import date_time, labels, length, plural, state

if TYPE_CHECKING:
    from alerting.matcher import Matcher

Document = dict[str, Any]

_API = "/api/v2/"
_COLUMNS = ("id", "state", "matchers", "ends", "in", "by", "comment")

Matchers = Annotated[
    list[str], typer.Argument(metavar="MATCHER…", help='What alerts must have: alertname=Disk, team=~"shop|web".')
]
Some = Annotated[list[str] | None, typer.Argument(metavar="[MATCHER…]", help="Only those about these labels.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Silences; 'watchkeeper silence list' names them.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A silence; 'watchkeeper silence list' names them.")]
Comment = Annotated[str, typer.Option("--comment", "-c", metavar="TEXT", help="Why.", show_default=False)]
Author = Annotated[str, typer.Option("--author", "-a", metavar="NAME", help="Who wants it; you, unless told.")]
Duration = Annotated[str, typer.Option("--duration", "-d", metavar="DURATION", help="How long, such as 2h or 30m.")]
End = Annotated[str, typer.Option("--end", metavar="TIME", help="When it ends, such as 2026-01-31T18:00; over -d.")]
Start = Annotated[str, typer.Option("--start", metavar="TIME", help="When it begins; now, unless told.")]
Expired = Annotated[bool, typer.Option("--expired", help="Those that are over, too.")]


def add(
    matchers: Matchers,
    comment: Comment = "",
    author: Author = "",
    duration: Duration = "1h",
    start: Start = "",
    end: End = "",
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Keep alerts from being told for a while, and say which ones that hits now."""
    if not comment.strip():
        raise CommandError("a silence needs a reason", "give it with --comment, for whoever looks for the alert")
    client, output = Client(url, token_file), Output()
    wanted = [_matcher(text) for text in matchers]
    begins = _moment("--start", start) if start else now()
    answer = client.post(
        f"{_API}silences",
        {
            "matchers": [_matcher_document(matcher) for matcher in wanted],
            "startsAt": _text(begins),
            "endsAt": _text(_end(begins, duration, end)),
            "createdBy": author or getpass.getuser(),
            "comment": comment,
        },
    )
    if as_json:
        output.document(answer)
        return OK
    hit = client.get(f"{_API}alerts", {"filter": [str(matcher) for matcher in wanted]})
    output.line(f"Silence {answer['silenceID']}; it matches {plural(len(hit), 'alert')} firing now.")
    for alert in hit[:20]:
        output.line(f"  {labels(alert['labels'])}")
    return OK


def show(
    matchers: Some = None,
    expired: Expired = False,
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """List silences, those that end first first."""
    given = {"filter": [str(_matcher(text)) for text in matchers or ()]}
    silences = Client(url, token_file).get(f"{_API}silences", given)
    rows = [one for one in silences if expired or one["status"]["state"] != "expired"]
    output = Output()
    if as_json:
        output.document(rows)
    elif rows:
        output.table(_COLUMNS, [_row(silence, now()) for silence in rows])
    else:
        output.line("No silence.")
    return OK


def update(
    silence_id: Id,
    comment: Comment = "",
    author: Author = "",
    duration: Duration = "",
    end: End = "",
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Change the end or the comment of a silence. A duration counts from now."""
    client, output = Client(url, token_file), Output()
    silence = client.get(f"{_API}silence/{silence_id}")
    changed = {
        **silence,
        "endsAt": _text(_end(now(), duration, end)) if duration or end else silence["endsAt"],
        "comment": comment or silence["comment"],
        "createdBy": author or silence["createdBy"],
    }
    answer = client.post(f"{_API}silences", changed)
    if as_json:
        output.document(answer)
    else:
        output.line(f"Silence {answer['silenceID']} ends at {date_time(_seconds(changed['endsAt']))}.")
    return OK


def expire(ids: Ids, url: Url = DEFAULT_URL, token_file: TokenFile = None) -> int:
    """End silences now. Exit code 1 where one is not known; the others are ended."""
    client, output, code = Client(url, token_file), Output(), OK
    for silence_id in ids:
        try:
            client.delete(f"{_API}silence/{silence_id}")
        except CommandError as error:
            if len(ids) == 1:
                raise
            output.line(f"{silence_id}: {error}")
            code = PROBLEMS
        else:
            output.line(f"Silence {silence_id} has ended.")
    return code


def _matcher(text: str) -> Matcher:
    from alerting.matcher import parse_matcher  # noqa: PLC0415 - brings numpy, which --help does not need

    try:
        return parse_matcher(text)
    except UserError as error:
        # As amtool: a plain word is the name of an alert.
        if text.replace("_", "").isalnum():
            return parse_matcher(f"alertname={text}")
        raise CommandError(str(error)) from None


def _matcher_document(matcher: Matcher) -> Document:
    return {
        "name": matcher.name, "value": matcher.value, "isRegex": matcher.is_regex, "isEqual": matcher.is_equal
    }  # fmt: skip


def _end(begin: float, duration: str, end: str) -> float:
    if end:
        return _moment("--end", end)
    try:
        return begin + parse_duration(duration)
    except UserError as error:
        raise CommandError(f"--duration: {error}") from None


def _moment(option: str, text: str) -> float:
    """Return a time that was typed; one without a zone is of this machine's."""
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise CommandError(f"{option} is {text!r}", "give a time such as 2026-01-31T18:00") from None


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _row(silence: Document, at: float) -> list[Any]:
    ends = _seconds(silence["endsAt"])
    shown = " ".join(map(_shown, silence["matchers"]))
    left = length(ends - at) if ends > at else "-"
    return [silence["id"], state(silence["status"]["state"]), shown, date_time(ends), left,
            silence["createdBy"], silence["comment"]]  # fmt: skip


def _shown(matcher: Document) -> str:
    sign = ("=" if matcher.get("isEqual", True) else "!") + ("~" if matcher["isRegex"] else "")
    operator = "!=" if sign == "!" else sign
    return f"{matcher['name']}{operator}{json.dumps(matcher['value'], ensure_ascii=False)}"
