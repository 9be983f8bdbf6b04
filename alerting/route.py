"""The routing tree: which receivers get an alert, and which alerts share a message. Pure.

As Alertmanager's: an alert walks down the tree, at each level into the first child that it matches, and into further
ones after a child that says `continue`; where no child matches, the route itself is the one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alerting.go_text import quote
from alerting.matcher import Matcher, format_matchers, matches, sorted_matchers

if TYPE_CHECKING:
    from alerting.routing_config import RouteSection

ALL_LABELS = ("...",)
"""The `group_by` under which every label set is a group of its own."""

GROUP_WAIT_SECONDS = 30.0
GROUP_INTERVAL_SECONDS = 300.0
REPEAT_INTERVAL_SECONDS = 14_400.0

DEFAULT_GROUP_BY = ("alertname", "service", "environment")
DEFAULT_GROUP_INTERVAL_SECONDS = 0.0
"""Of the route that there is where a config has none: each change is told at once."""


@dataclass(frozen=True, slots=True)
class Route:
    """A node of the tree, with everything that it has from those above it.

    Attributes:
        matchers: in Alertmanager's order; none at the root.
        group_by: names of labels; `("...",)` for all.
        group_wait, group_interval, repeat_interval: seconds.
        is_continuing: whether an alert that matches may match later routes of the same level too.
        mute_time_intervals, active_time_intervals: names; never from the route above.
        key: Alertmanager's Route.Key(): `{}/{team="shop"}`; the same for two routes with the same matchers.
        id: unique in the tree, and the same after a restart: `{}/{team="shop"}/0`.
    """

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    group_by: tuple[str, ...] = ()
    group_wait: float = GROUP_WAIT_SECONDS
    group_interval: float = GROUP_INTERVAL_SECONDS
    repeat_interval: float = REPEAT_INTERVAL_SECONDS
    is_continuing: bool = False
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    key: str = "{}"
    id: str = "{}"

    def match(self, labels: Mapping[str, str]) -> list[Route]:
        """Return the routes that an alert goes to, in the order of the tree; empty where this one does not match."""
        if not matches(self.matchers, labels):
            return []
        found: list[Route] = []
        for child in self.routes:
            below = child.match(labels)
            found += below
            if below and not child.is_continuing:
                break
        return found or [self]

    def walk(self) -> Iterator[Route]:
        """Yield this route and all below it, those above first."""
        yield self
        for child in self.routes:
            yield from child.walk()


def build(section: RouteSection) -> Route:
    """Return the tree of a config's `route`."""
    return _build(section, None, 0)


def default_route(receiver: str) -> Route:
    """Return the tree of a config without `route`: everything to one receiver, at once."""
    return Route(
        receiver,
        group_by=DEFAULT_GROUP_BY,
        group_wait=0.0,
        group_interval=DEFAULT_GROUP_INTERVAL_SECONDS,
    )


def _build(section: RouteSection, parent: Route | None, index: int) -> Route:
    above = parent or Route("")
    matchers = sorted_matchers(section.all_matchers)
    shown = format_matchers(matchers)
    key = f"{parent.key}/{shown}" if parent else shown

    def own(value: float | None, inherited: float) -> float:
        return inherited if value is None else value

    node = Route(
        receiver=section.receiver or above.receiver,
        matchers=matchers,
        group_by=tuple(section.group_by) or above.group_by,
        group_wait=own(section.group_wait, above.group_wait),
        group_interval=own(section.group_interval, above.group_interval),
        repeat_interval=own(section.repeat_interval, above.repeat_interval),
        is_continuing=section.continue_,
        mute_time_intervals=tuple(section.mute_time_intervals),
        active_time_intervals=tuple(section.active_time_intervals),
        key=key,
        id=f"{parent.id}/{shown}/{index}" if parent else key,
    )
    return replace(node, routes=tuple(_build(child, node, number) for number, child in enumerate(section.routes)))


def group_labels(route: Route, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of the group that an alert belongs to; those that it does not have are left out."""
    if route.group_by == ALL_LABELS:
        return dict(labels)
    return {name: labels[name] for name in route.group_by if name in labels}


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """Return the key of the group with these group labels, as Alertmanager tells it: `{}:{alertname="TargetDown"}`."""
    inner = ", ".join(f"{name}={quote(value)}" for name, value in sorted(labels.items()))
    return f"{route.key}:{{{inner}}}"
