"""The routing tree: who gets an alert, what is inherited, which alerts share a message."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from alerting.config import AlertingConfig
from alerting.route import Route, build, default_route, group_key, group_labels
from alerting.route_text import destinations, reason, tree
from alerting.routing import routing_of
from alerting.routing_config import RouteSection
from tests.alerting.house import config_of

TREE = {
    "receiver": "all",
    "group_by": ["alertname"],
    "group_wait": 1.0,
    "routes": [
        {"receiver": "shop", "matchers": ["team=shop"], "continue": True, "mute_time_intervals": ["night"]},
        {
            "match": {"team": "shop"},
            "match_re": {"env": "prod|stage"},
            "group_by": ["..."],
            "repeat_interval": 60.0,
            "active_time_intervals": ["office"],
            "routes": [{"receiver": "page", "matchers": ["severity=critical"], "group_by": ["job", "alertname"]}],
        },
        {"receiver": "never", "matchers": ["team=shop", "env=~prod|stage"]},
    ],
}


@pytest.fixture
def root() -> Route:
    return build(RouteSection.model_validate(TREE))


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({}, ["all"]),
        ({"team": "cart"}, ["all"]),
        ({"team": "shop"}, ["shop"]),
        ({"team": "shop", "env": "prod"}, ["shop", "all"]),
        ({"team": "shop", "env": "prod", "severity": "critical"}, ["shop", "page"]),
        ({"team": "shop", "env": "production"}, ["shop"]),
    ],
)
def test_an_alert_goes_down_the_tree(root: Route, labels: dict[str, str], receivers: list[str]) -> None:
    assert [route.receiver for route in root.match(labels)] == receivers


def test_a_route_has_from_above_what_it_does_not_say_except_its_times(root: Route) -> None:
    _, shop, both, page, _ = root.walk()
    assert (shop.group_by, shop.group_wait, shop.group_interval, shop.repeat_interval) == (
        ("alertname",),
        1.0,
        300.0,
        14_400.0,
    )
    assert (both.receiver, both.group_by, both.repeat_interval) == ("all", ("...",), 60.0)
    assert (page.group_by, page.repeat_interval, page.active_time_intervals) == (("job", "alertname"), 60.0, ())
    assert (shop.mute_time_intervals, both.active_time_intervals) == (("night",), ("office",))


def test_keys_are_alertmanagers_and_ids_are_unique(root: Route) -> None:
    keys = [route.key for route in root.walk()]
    assert keys == [
        "{}",
        '{}/{team="shop"}',
        '{}/{env=~"^(?:prod|stage)$",team="shop"}',
        '{}/{env=~"^(?:prod|stage)$",team="shop"}/{severity="critical"}',
        '{}/{env=~"prod|stage",team="shop"}',
    ]
    section = RouteSection.model_validate({"receiver": "a", "routes": [{"routes": [{}, {}]}, {"routes": [{}, {}]}]})
    ids = [route.id for route in build(section).walk()]
    assert len(set(ids)) == len(ids) == 7
    assert [route.key for route in build(section).routes[0].routes] == ["{}/{}/{}"] * 2


def test_group_labels_are_those_that_the_alert_has(root: Route) -> None:
    labels = {"job": "a", "x": "y"}
    shop, both, page = (list(root.walk())[index] for index in (1, 2, 3))
    assert group_labels(shop, labels) == {}
    assert group_labels(both, labels) == labels
    assert group_labels(page, labels) == {"job": "a"}


def test_group_keys_are_alertmanagers(root: Route) -> None:
    shop = root.routes[0]
    assert group_key(root, {}) == "{}:{}"
    assert group_key(shop, {"b": 'x"\n', "a": "é"}) == '{}/{team="shop"}:{a="é", b="x\\"\\n"}'
    assert group_key(root, {"a": 'x"\\\n\x01é\u2028'}) == '{}:{a="x\\"\\\\\\n\\x01é\\u2028"}'


def test_without_a_route_everything_goes_to_the_first_receiver_at_once() -> None:
    routing = routing_of(config_of("receivers: [{name: a}, {name: b}]"))
    assert routing.route == default_route("a")
    assert routing.route.group_wait == 0.0
    assert routing.route.group_by == ("alertname", "service", "environment")
    assert routing_of(AlertingConfig()).route is None


def test_a_tree_is_drawn_with_what_matters_of_each_route(root: Route) -> None:
    assert list(tree(root)) == [
        "default-route  receiver: all  grouping: [alertname]  timing: wait 1s, interval 5m, repeat 4h",
        '├── {team="shop"}  continue: true  receiver: shop  grouping: [alertname]'
        "  timing: wait 1s, interval 5m, repeat 4h  mute: night",
        '├── {env=~"^(?:prod|stage)$",team="shop"}  receiver: all  grouping: by all labels'
        "  timing: wait 1s, interval 5m, repeat 1m  active: office",
        '│   └── {severity="critical"}  receiver: page  grouping: [job,alertname]'
        "  timing: wait 1s, interval 5m, repeat 1m",
        '└── {env=~"prod|stage",team="shop"}  receiver: never  grouping: [alertname]'
        "  timing: wait 1s, interval 5m, repeat 4h",
    ]


def test_a_route_says_why_it_takes_an_alert_or_not(root: Route) -> None:
    _, shop, both, *_ = root.walk()
    assert reason(root, {}) == "takes every alert"
    assert reason(shop, {"team": "shop"}) == 'matches: team is "shop"'
    assert reason(shop, {}) == 'no: team is absent, not team="shop"'
    assert reason(both, {"team": "x", "env": "prod"}) == 'no: team is "x", not team="shop"'


def test_destinations_have_their_path_their_group_and_their_times() -> None:
    config = config_of(
        "receivers: [{name: a}]\n"
        "time_intervals: [{name: night, time_intervals: [{times: [{start_time: '00:00', end_time: '06:00'}]}]}]\n"
        "route: {receiver: a, routes: [{matchers: [x=y], group_by: [x], mute_time_intervals: [night]}]}\n"
    )
    routing = routing_of(config)
    assert routing.route is not None
    night, noon = (datetime(2030, 1, 1, hour, tzinfo=UTC) for hour in (3, 12))
    (found,) = destinations(routing.route, {"x": "y"}, routing.time_intervals, night)
    assert [route.id for route in found.path] == ["{}", '{}/{x="y"}/0']
    assert (found.group_key, found.muted_by) == ('{}/{x="y"}:{x="y"}', ("night",))
    (found,) = destinations(routing.route, {"x": "y"}, routing.time_intervals, noon)
    assert found.muted_by == ()
