"""From the config to what decides who is told what: the tree of routes, inhibitions and times. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from alerting.config import AlertingConfig
from alerting.inhibit import InhibitRule
from alerting.route import Route, build, default_route
from alerting.time_interval import TimeIntervals


@dataclass(frozen=True, slots=True)
class Routing:
    """Who is told what.

    Attributes:
        route: the root of the tree; None where there is no receiver to tell.
        templates: patterns of template files, relative to the config file's folder where they are not absolute.
    """

    route: Route | None = None
    inhibit_rules: Sequence[InhibitRule] = ()
    time_intervals: TimeIntervals = field(default_factory=dict)
    templates: Sequence[str] = ()


def routing_of(config: AlertingConfig) -> Routing:
    """Return what a config says; without `route`, everything goes to its first receiver at once."""
    route = None
    if config.route is not None:
        route = build(config.route)
    elif config.receivers:
        route = default_route(config.receivers[0].name)
    return Routing(
        route,
        tuple(section.rule for section in config.inhibit_rules),
        {section.name: section.intervals for section in (*config.time_intervals, *config.mute_time_intervals)},
        tuple(config.templates),
    )
