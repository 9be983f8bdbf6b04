"""The routing tree by lookup: the same answers as by walking it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerting.route import build
from alerting.route_index import RouteIndex
from alerting.routing_config import RouteSection

NAMES, VALUES = ("team", "env"), ("", "a", "b")
MATCHER = st.builds(
    lambda name, operator, value: f'{name}{operator}"{value}"',
    st.sampled_from(NAMES),
    st.sampled_from(("=", "=", "=", "!=", "=~", "!~")),
    st.sampled_from(VALUES),
)


def routes(below: st.SearchStrategy[list[dict[str, Any]]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    route = st.fixed_dictionaries(
        {"matchers": st.lists(MATCHER, min_size=1, max_size=2), "continue": st.booleans(), "routes": below}
    )
    return st.lists(route, max_size=5)


TREE: st.SearchStrategy[list[dict[str, Any]]] = st.recursive(st.just([]), routes, max_leaves=8)


@given(TREE, st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES[1:])))
def test_an_alert_goes_to_the_routes_that_the_tree_says(tree: list[dict[str, Any]], labels: dict[str, str]) -> None:
    root = build(RouteSection.model_validate({"receiver": "all", "routes": tree}))
    assert RouteIndex(root).match(labels) == root.match(labels)
