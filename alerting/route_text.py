"""The routing tree in words, for `watchkeeper routes`: what there is, and why an alert goes where it goes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alerting.go_text import quote
from alerting.matcher import Matcher, format_matcher, format_matchers
from alerting.route import ALL_LABELS, Route, group_key, group_labels
from alerting.time_interval import TimeIntervals, muting_intervals
from core.duration import format_duration


@dataclass(frozen=True, slots=True)
class Destination:
    """A route that an alert goes to.

    Attributes:
        path: from the root to the route.
        muted_by: the names of time intervals for which it is mute at the moment that was asked about.
    """

    path: tuple[Route, ...]
    group_key: str
    muted_by: tuple[str, ...]

    @property
    def route(self) -> Route:
        """The route itself."""
        return self.path[-1]


def destinations(
    root: Route, labels: Mapping[str, str], intervals: TimeIntervals, moment: datetime
) -> list[Destination]:
    """Return where an alert goes, in the order in which its receivers are told."""
    paths = {path[-1].id: path for path in _paths(root, ())}
    return [
        Destination(
            paths[route.id],
            group_key(route, group_labels(route, labels)),
            muting_intervals(route.mute_time_intervals, route.active_time_intervals, intervals, moment),
        )
        for route in root.match(labels)
    ]


def _paths(route: Route, above: tuple[Route, ...]) -> Iterator[tuple[Route, ...]]:
    path = (*above, route)
    yield path
    for child in route.routes:
        yield from _paths(child, path)


def describe(route: Route) -> str:
    """Return a route in one line, in amtool's words and ours: `{team="shop"}  receiver: shop  grouping: [job]`."""
    words = [format_matchers(route.matchers) if route.matchers else "default-route"]
    words += ["continue: true"] if route.is_continuing else []
    words.append(f"receiver: {route.receiver}")
    words += [f"grouping: [{','.join(route.group_by)}]"] if route.group_by and route.group_by != ALL_LABELS else []
    words += ["grouping: by all labels"] if route.group_by == ALL_LABELS else []
    words.append(f"timing: {timing(route)}")
    words += [f"mute: {', '.join(route.mute_time_intervals)}"] if route.mute_time_intervals else []
    words += [f"active: {', '.join(route.active_time_intervals)}"] if route.active_time_intervals else []
    return "  ".join(words)


def timing(route: Route) -> str:
    """Return `wait 30s, interval 5m, repeat 4h`."""
    wait, interval, repeat = map(format_duration, (route.group_wait, route.group_interval, route.repeat_interval))
    return f"wait {wait}, interval {interval}, repeat {repeat}"


def tree(root: Route, text: Callable[[Route], str] = describe) -> Iterator[str]:
    """Yield the lines of a tree, each route as `text` has it."""
    yield text(root)
    yield from _branches(root.routes, "", text)


def _branches(routes: Sequence[Route], indent: str, text: Callable[[Route], str]) -> Iterator[str]:
    for number, route in enumerate(routes):
        is_last = number == len(routes) - 1
        yield f"{indent}{'└── ' if is_last else '├── '}{text(route)}"
        yield from _branches(route.routes, indent + ("    " if is_last else "│   "), text)


def reason(route: Route, labels: Mapping[str, str]) -> str:
    """Return why a route takes an alert, or why it does not: `matches: team is "shop"`."""
    wrong = next((m for m in route.matchers if not m.matches(labels.get(m.name, ""))), None)
    if wrong is not None:
        return f"no: {_value(wrong, labels)}, not {format_matcher(wrong)}"
    if not route.matchers:
        return "takes every alert"
    return "matches: " + ", ".join(dict.fromkeys(_value(matcher, labels) for matcher in route.matchers))


def _value(matcher: Matcher, labels: Mapping[str, str]) -> str:
    value = labels.get(matcher.name, "")
    return f"{matcher.name} is {quote(value)}" if value else f"{matcher.name} is absent"
