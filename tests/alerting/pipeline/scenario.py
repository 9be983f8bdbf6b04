"""What happens to alerts in the scenarios that Alertmanager and we are put through, all at once on one config.

Times are seconds from the start. Each scenario has a route of its own, for alerts with its name in their label
`scenario`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WAIT, INTERVAL, REPEAT = 1.0, 2.0, 3600.0


@dataclass(frozen=True)
class Post:
    """Alerts that are posted together; `for_` is the time until their end, negative for one in the past."""

    at: float
    alerts: Sequence[dict[str, str]]
    for_: float | None = 600.0
    age: float = 0.0
    note: str = "n"


@dataclass(frozen=True)
class Silence:
    """A silence of the scenario's alerts with these labels."""

    at: float
    labels: dict[str, str]
    for_: float


@dataclass(frozen=True)
class Scenario:
    """One story; `route` and `hooks` are added to the usual ones in Alertmanager's words.

    Attributes:
        hooks: options of each address of the receiver.
        routes: below the scenario's own, with receivers NAME-x.
        failures: how many requests are answered with 500 first.
        count: how many messages there must be in all, so that a scenario proves what its name says.
        late: how much later than Alertmanager's a message may be.
    """

    name: str
    does: Sequence[Post | Silence]
    count: int
    route: dict[str, Any] = field(default_factory=dict)
    hooks: Sequence[dict[str, Any]] = ({},)
    routes: Sequence[dict[str, Any]] = ()
    failures: int = 0
    late: float = 1.0


def a(name: str = "A", **labels: str) -> dict[str, str]:
    return {"alertname": name, **labels}


def fires(at: float, *alerts: dict[str, str], **more: Any) -> Post:
    return Post(at, alerts, **more)


def ends(at: float, *alerts: dict[str, str], **more: Any) -> Post:
    return Post(at, alerts, for_=0.0, age=0.5, **more)


ALWAYS, NEVER = "always", "never"
INTERVALS = [
    {"name": ALWAYS, "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]},
    {"name": NEVER, "time_intervals": [{"years": ["2001"]}]},
]
INHIBITIONS = [
    {
        "source_matchers": ['alertname="Source"', 'scenario=~"inhibit.*"'],
        "target_matchers": ['alertname="Target"'],
        "equal": ["scenario", "node"],
    },
    {
        "source_matchers": ['severity="critical"', 'scenario="inhibit_both_sides"'],
        "target_matchers": ['severity=~"critical|warning"', 'scenario="inhibit_both_sides"'],
    },
]

SCENARIOS = [
    Scenario("fires_and_ends", [fires(0, a()), ends(4, a())], 2),
    Scenario("two_in_one_message", [fires(0, a(i="1"), a(i="2"))], 1),
    Scenario("one_that_comes_during_the_wait_joins", [fires(0, a(i="1")), fires(0.5, a(i="2"))], 1),
    Scenario("one_that_comes_later_waits_for_the_interval", [fires(0, a(i="1")), fires(1.5, a(i="2"))], 2),
    Scenario("an_old_alert_is_told_at_once", [fires(0, a(), age=60)], 1, {"group_wait": "8s"}),
    Scenario("an_end_within_the_wait_is_never_told", [fires(0, a()), ends(0.5, a())], 0),
    Scenario("an_end_within_the_wait_is_told_with_another", [fires(0, a(i="1"), a(i="2")), ends(0.5, a(i="1"))], 1),
    Scenario("one_of_two_ends", [fires(0, a(i="1"), a(i="2")), ends(2, a(i="1")), ends(6, a(i="2"))], 3),
    Scenario("a_short_end_is_not_told", [fires(0, a()), ends(3.4, a()), fires(4.2, a())], 1),
    Scenario("fires_again_after_its_end_was_told", [fires(0, a()), ends(2, a()), fires(3.8, a())], 3),
    Scenario("repeats", [fires(0, a())], 4, {"repeat_interval": "3s"}),
    Scenario("repeats_no_end", [fires(0, a()), ends(1.5, a())], 2, {"repeat_interval": "3s"}),
    Scenario("ends_are_not_wanted", [fires(0, a()), ends(2, a())], 1, hooks=[{"send_resolved": False}]),
    Scenario(
        "fires_again_where_ends_are_not_wanted",
        [fires(0, a()), ends(2, a()), fires(4.2, a())],
        2,
        hooks=[{"send_resolved": False}],
    ),
    Scenario(
        "only_what_fires_where_ends_are_not_wanted",
        [fires(0, a(i="1"), a(i="2")), ends(2, a(i="1")), fires(4, a(i="3"))],
        2,
        hooks=[{"send_resolved": False}],
    ),
    Scenario("not_all_are_listed", [fires(0, a(i="1"), a(i="2"), a(i="3"))], 1, hooks=[{"max_alerts": 2}]),
    Scenario("two_addresses", [fires(0, a()), ends(2, a())], 3, hooks=[{}, {"send_resolved": False}]),
    Scenario("nobody_is_told", [fires(0, a())], 0, hooks=[]),
    Scenario("a_failing_receiver_is_tried_again", [fires(0, a()), ends(8, a())], 2, failures=2, late=3.0),
    Scenario("news_while_the_receiver_fails", [fires(0, a(i="1"))], 1, {"group_interval": "10s"}, failures=3, late=5.0),
    Scenario(
        "continue_tells_two",
        [fires(0, a(team="x")), ends(2.5, a(team="x"))],
        4,
        routes=[
            {"receiver": "continue_tells_two-x", "matchers": ['team="x"'], "continue": True},
            {"receiver": "continue_tells_two-y", "matchers": ['team=~"x|y"']},
        ],
    ),
    Scenario(
        "the_first_that_matches_is_told",
        [fires(0, a(team="x"), a(team="y"), a(team="z"))],
        3,
        routes=[
            {"receiver": "the_first_that_matches_is_told-x", "matchers": ['team="x"']},
            {"receiver": "the_first_that_matches_is_told-y", "matchers": ['team=~"x|y"'], "group_wait": "3s"},
        ],
    ),
    Scenario(
        "nested_routes",
        [fires(0, a(team="x", level="1"), a(team="x", level="2"), a(team="x"))],
        3,
        routes=[
            {
                "receiver": "nested_routes-x",
                "matchers": ['team="x"'],
                "routes": [
                    {"receiver": "nested_routes-y", "matchers": ['level="1"']},
                    {"matchers": ['level!=""', 'level!="1"'], "group_by": ["level"]},
                ],
            }
        ],
    ),
    Scenario(
        "absent_labels_match_negatively",
        [fires(0, a(), a(team="x"))],
        2,
        routes=[{"receiver": "absent_labels_match_negatively-x", "matchers": ['team!="x"', 'other!~".+"']}],
    ),
    Scenario("by_all_labels", [fires(0, a(i="1"), a(i="2"), a("B"))], 3, {"group_by": ["..."]}),
    Scenario("by_a_label_that_all_lack", [fires(0, a(i="1"), a("B"), a("C"))], 1, {"group_by": ["none"]}),
    Scenario("by_what_the_route_above_says", [fires(0, a(i="1"), a("B"), a("C"))], 3, {"group_by": []}),
    Scenario("by_a_label_that_some_lack", [fires(0, a(i="1"), a(i="2"), a("B"))], 3, {"group_by": ["i"]}),
    Scenario("hostile_values", [fires(0, a('q"\\\n\té<&>', i="{{ . }}"))], 1, {"group_by": ["alertname", "i"]}),
    Scenario("told_at_once", [fires(0, a()), ends(1, a())], 2, {"group_wait": "0s"}),
    Scenario("inhibit_a_target", [fires(0, a("Source", node="1")), fires(0.3, a("Target", node="1"))], 1),
    Scenario("inhibit_only_the_equal", [fires(0, a("Source", node="1")), fires(0.3, a("Target", node="2"))], 2),
    Scenario(
        "inhibit_until_the_source_ends",
        [
            fires(0, a("Source", node="1")),
            fires(0.2, a("Target", node="1")),
            ends(4.4, a("Source", node="1")),
        ],
        3,
    ),
    Scenario(
        "inhibit_from_when_the_source_fires",
        [fires(0, a("Target", node="1")), fires(2, a("Source", node="1")), ends(4, a("Target", node="1"))],
        2,
    ),
    Scenario(
        "inhibit_both_sides",
        [fires(0, a("C", severity="critical"), a("D", severity="critical"), a("W", severity="warning"))],
        2,
    ),
    Scenario("silence_before", [Silence(0, {"i": "1"}, 60), fires(0.3, a(i="1"), a(i="2"))], 1),
    Scenario("silence_that_ends", [Silence(0, {"i": "1"}, 4), fires(0.3, a(i="1"))], 1),
    Scenario(
        "silence_after_it_was_told",
        [fires(0, a(i="1")), Silence(1.5, {"i": "1"}, 60), ends(4, a(i="1"))],
        1,
        {"repeat_interval": "3s"},
    ),
    Scenario(
        "silence_of_one_of_two",
        [fires(0, a(i="1"), a(i="2")), Silence(1.6, {"i": "1"}, 60), fires(2, a(i="3"))],
        2,
    ),
    Scenario("mute_now", [fires(0, a())], 0, {"mute_time_intervals": [ALWAYS]}),
    Scenario("mute_at_another_time", [fires(0, a())], 1, {"mute_time_intervals": [NEVER]}),
    Scenario("active_now", [fires(0, a())], 1, {"active_time_intervals": [NEVER, ALWAYS]}),
    Scenario("active_at_another_time", [fires(0, a())], 0, {"active_time_intervals": [NEVER]}),
    Scenario("ends_by_itself", [fires(0, a(), for_=3.5)], 2),
    Scenario("is_posted_again_before_its_end", [fires(0, a(), for_=3.5), fires(2, a(), for_=6.4, age=2)], 2),
    Scenario("an_end_of_what_was_never_known", [ends(0, a())], 0),
    Scenario(
        "new_annotations_are_told_with_the_next_news",
        [fires(0, a(i="1")), fires(1.5, a(i="1"), age=1.5, note="changed"), fires(3.5, a(i="2"))],
        2,
    ),
    Scenario("an_end_and_news_in_one_message", [fires(0, a(i="1")), ends(1.5, a(i="1")), fires(2, a(i="2"))], 2),
    Scenario("no_start_is_now", [Post(0, [a()], age=float("nan"))], 1),
]


def config(url: str) -> dict[str, Any]:
    """Return the config of all scenarios in Alertmanager's format; messages go to URL/RECEIVER/ADDRESS."""
    receivers: list[dict[str, Any]] = [{"name": "nobody"}]
    routes = []
    for scenario in SCENARIOS:
        names = [scenario.name, *_receivers(scenario.routes)]
        for name in dict.fromkeys(names):
            hooks = [{"url": f"{url}/{name}/{index}", **hook} for index, hook in enumerate(scenario.hooks)]
            receivers.append({"name": name, "webhook_configs": hooks})
        routes.append(
            {
                "receiver": scenario.name,
                "matchers": [f'scenario="{scenario.name}"'],
                **scenario.route,
                "routes": list(scenario.routes),
            }
        )
    return {
        "route": {
            "receiver": "nobody",
            "group_by": ["alertname"],
            "group_wait": f"{WAIT:g}s",
            "group_interval": f"{INTERVAL:g}s",
            "repeat_interval": f"{REPEAT:g}s",
            "routes": routes,
        },
        "receivers": receivers,
        "inhibit_rules": INHIBITIONS,
        "time_intervals": INTERVALS,
    }


def _receivers(routes: Sequence[dict[str, Any]]) -> list[str]:
    found = []
    for route in routes:
        found += [route["receiver"]] if "receiver" in route else []
        found += _receivers(route.get("routes", ()))
    return found
