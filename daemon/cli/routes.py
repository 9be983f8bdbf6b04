"""The command `routes`: the routing tree of a config file, and where an alert would go, without a daemon."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.failure import OK, PROBLEMS, CommandError
from daemon.cli.options import Json
from daemon.cli.output import Output

if TYPE_CHECKING:
    from alerting.route import Route
    from alerting.route_text import Destination
    from alerting.routing import Routing

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        "--config.file",
        envvar="WATCHKEEPER_CONFIG",
        metavar="FILE",
        help="A configuration, or an alertmanager.yml.",
    ),
]
LabelPairs = Annotated[list[str] | None, typer.Argument(metavar="LABEL=VALUE...", help="The alert's labels.")]
Expected = Annotated[
    str,
    typer.Option(
        "--verify.receivers",
        "--verify-receivers",
        metavar="NAMES",
        help="The receivers that must come out, in order, with commas; exit code 1 where others do.",
    ),
]
At = Annotated[
    str, typer.Option("--at", metavar="TIME", help="The moment for mute times, such as 2030-01-01T09:00:00+01:00.")
]
Tree = Annotated[bool, typer.Option("--tree", help="Show for each route why it takes the alert or not.")]


def show(config: Config = None, as_json: Json = False) -> int:
    """Show the routing tree, in amtool's form."""
    from alerting.route_text import tree  # noqa: PLC0415 - slows down --help

    route = _routing(config).route
    output = Output()
    if as_json:
        output.document([] if route is None else [_document_of_route(node) for node in route.walk()])
        return OK
    if route is None:
        output.line("No receiver: nobody is told of any alert.")
        return OK
    output.line("Routing tree:")
    for line in tree(route):
        output.line(line)
    return OK


def test(
    labels: LabelPairs = None,
    config: Config = None,
    verify_receivers: Expected = "",
    at: At = "",
    show_tree: Tree = False,
    as_json: Json = False,
) -> int:
    """Say which receivers an alert with these labels goes to, and why.

    The first line names them as `amtool config routes test` does.
    """
    from alerting.route_text import destinations, reason, tree  # noqa: PLC0415 - slows down --help

    routing = _routing(config)
    pairs = _labels(labels or [])
    moment = _moment(at)
    if routing.route is None:
        raise CommandError("the configuration has no receiver", "add one under 'receivers'", exit_code=PROBLEMS)
    found = destinations(routing.route, pairs, routing.time_intervals, moment)
    receivers = ",".join(destination.route.receiver for destination in found)
    output = Output()
    if as_json:
        output.document({"receivers": receivers.split(","), "routes": [_document(one) for one in found]})
    else:
        output.line(receivers)
        for destination in found:
            _tell(output, destination, pairs)
        if show_tree:
            output.line("")
            for line in tree(routing.route, lambda route: f"{route.receiver}  {reason(route, pairs)}"):
                output.line(line)
    if verify_receivers and verify_receivers != receivers:
        message = f"the alert goes to {receivers}, not to {verify_receivers}"
        raise CommandError(message, "correct the routes or the expectation", exit_code=PROBLEMS)
    return OK


def _tell(output: Output, destination: Destination, labels: dict[str, str]) -> None:
    from alerting.matcher import format_matchers  # noqa: PLC0415
    from alerting.route_text import reason, timing  # noqa: PLC0415

    output.line("")
    output.line(f"{destination.route.receiver}:")
    for depth, route in enumerate(destination.path):
        name = format_matchers(route.matchers) if route.matchers else "default-route"
        output.line("  " * (depth + 1) + f"{name}  {reason(route, labels)}")
    output.line(f"  group {destination.group_key}; {timing(destination.route)}")
    if destination.muted_by:
        output.line(f"  mute at that time: {', '.join(destination.muted_by)}")
    elif destination.route.mute_time_intervals or destination.route.active_time_intervals:
        output.line("  not mute at that time")


def _routing(config: Path | None) -> Routing:
    from alerting.routing import routing_of  # noqa: PLC0415
    from daemon.config import load  # noqa: PLC0415

    if config is None:
        raise CommandError("no configuration is named", "name it with --config FILE")
    return routing_of(load(config).root)


def _labels(texts: list[str]) -> dict[str, str]:
    from alerting.matcher import parse_matcher  # noqa: PLC0415
    from core.errors import UserError  # noqa: PLC0415
    from metrics.storage import MatchOp  # noqa: PLC0415

    labels = {}
    for text in texts:
        try:
            matcher = parse_matcher(text)
        except UserError as error:
            raise CommandError(str(error)) from None
        if matcher.op is not MatchOp.EQUAL:
            raise CommandError(f"{text!r} is no label", "write labels as name=value")
        labels[matcher.name] = matcher.value
    return labels


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is no time", "write it as 2030-01-01T09:00:00+01:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _document(destination: Destination) -> dict[str, object]:
    return {
        **_document_of_route(destination.route),
        "path": [route.id for route in destination.path],
        "group_key": destination.group_key,
        "muted_by": list(destination.muted_by),
    }


def _document_of_route(route: Route) -> dict[str, object]:
    return {
        "id": route.id,
        "receiver": route.receiver,
        "matchers": [str(matcher) for matcher in route.matchers],
        "group_by": list(route.group_by),
        "group_wait_seconds": route.group_wait,
        "group_interval_seconds": route.group_interval,
        "repeat_interval_seconds": route.repeat_interval,
        "continue": route.is_continuing,
        "mute_time_intervals": list(route.mute_time_intervals),
        "active_time_intervals": list(route.active_time_intervals),
    }
