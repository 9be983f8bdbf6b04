"""`watchkeeper query`: ask the store in PromQL."""

from __future__ import annotations

import math
import re
import shutil
from itertools import pairwise
from typing import Annotated, Any

import typer

from core.duration import format_duration, parse_duration
from core.errors import UserError
from daemon.cli.chart import chart, span, sparkline
from daemon.cli.failure import OK, CommandError
from daemon.cli.options import DEFAULT_URL, Client, Json, TokenFile, Url
from daemon.cli.output import Cell, Output
from daemon.cli.wording import date_time, labels, number

Document = dict[str, Any]

Expression = Annotated[str, typer.Argument(metavar="EXPR", help="PromQL, such as 'rate(node_cpu_seconds_total[5m])'.")]
Time = Annotated[
    str, typer.Option("--time", metavar="TIME", help="When: Unix seconds, an ISO date and time, or '5m' for ago.")
]
Range = Annotated[str, typer.Option("--range", metavar="DURATION", help="The time up to then, as a chart: 1h.")]
Step = Annotated[str, typer.Option("--step", metavar="DURATION", help="Distance between the values of a range.")]

CHART_HEIGHT = 8
MAX_STEPS = 11_000


def query(
    expression: Expression,
    time: Time = "",
    range_: Range = "",
    step: Step = "",
    url: Url = DEFAULT_URL,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> int:
    """Evaluate an expression, now or over a range of time."""
    if step and not range_:
        raise CommandError("--step needs a range", "give one too, such as --range 1h")
    client, end = Client(url, token_file), _moment(time)
    if range_:
        document = client.get("query_range", {"query": expression, **_window(end, range_, step)})
    else:
        document = client.get("query", {"query": expression, "time": end})
    output = Output()
    if as_json:
        output.document(document)
    else:
        print_result(output, document["data"])
    return OK


def _window(end: float, range_: str, step: str) -> dict[str, float]:
    width = _duration("--range", range_)
    distance = _duration("--step", step) if step else max(1.0, math.ceil(width / 120))
    if width / distance > MAX_STEPS:
        raise CommandError(
            f"--step {step or format_duration(distance)} gives more than {MAX_STEPS} values",
            f"make it at least {format_duration(math.ceil(width / MAX_STEPS))}",
        )
    return {"start": end - width, "end": end, "step": distance}


def _duration(option: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except UserError as error:
        raise CommandError(f"{option}: {error}") from None
    if seconds <= 0:
        raise CommandError(f"{option} is {text}", "give a duration of more than 0s")
    return seconds


def _moment(text: str) -> float:
    from core.clock import SystemClock  # noqa: PLC0415 - brings asyncio, which --help does not need

    now = SystemClock().now()
    if not text:
        return now
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        return now - parse_duration(text)
    except UserError:
        return _iso(text)


def _iso(text: str) -> float:
    from datetime import datetime  # noqa: PLC0415

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        remedy = "give Unix seconds, 2026-01-31T12:00:00 or a duration ago such as 5m"
        raise CommandError(f"--time: {text!r} is no time", remedy) from None


def print_result(output: Output, data: Document) -> None:
    """Write the `data` of a Prometheus answer for a person."""
    kind, result = data["resultType"], data["result"]
    if kind in ("scalar", "string"):
        output.line(number(float(result[1])) if kind == "scalar" else str(result[1]))
    elif not result:
        output.line("No series.")
    elif kind == "vector":
        rows = [(labels(series["metric"]), number(float(series["value"][1]))) for series in result]
        output.table(("series", "value"), rows)
    elif len(result) == 1:
        _print_chart(output, result[0])
    else:
        _print_sparklines(output, result)


def _print_chart(output: Output, series: Document) -> None:
    values = _evenly(series["values"])
    output.line(Cell(labels(series["metric"]), "strong"))
    lines = chart(values, width=min(_width() - 16, 120), height=CHART_HEIGHT)
    for line in lines:
        output.line(line)
    margin = lines[0].index("┤")
    first, last = series["values"][0][0], series["values"][-1][0]
    output.line(" " * margin, Cell(f"{date_time(first)} … {date_time(last)}, last {number(values[-1])}", "dim"))


def _print_sparklines(output: Output, result: list[Document]) -> None:
    rows = []
    for series in result:
        values = _evenly(series["values"])
        low, high = span(values)
        rows.append((sparkline(values, 40), number(low), number(high), number(values[-1]), labels(series["metric"])))
    output.table(("course", "least", "greatest", "last", "series"), rows)


def _evenly(points: list[list[Any]]) -> list[float]:
    """Return one value for each step between the first and the last, NaN where the series has none."""
    times = [float(point[0]) for point in points]
    step = min((after - before for before, after in pairwise(times)), default=1.0)
    values = [math.nan] * (round((times[-1] - times[0]) / step) + 1)
    for time, point in zip(times, points, strict=True):
        values[round((time - times[0]) / step)] = float(point[1])
    return values


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns
