"""The routing tree ready to be asked for many alerts: a child that wants a label to be something is looked up by that.

A company's tree has a child for each of its hundred teams, and every alert would be compared with half of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from alerting.matcher import matches
from alerting.route import Route
from metrics.storage import MatchOp


class RouteIndex:
    """A route with all that is below it; answers as `Route.match` does."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._children = [RouteIndex(child) for child in route.routes]
        self._by_value: dict[str, dict[str, list[int]]] = {}
        self._others: list[int] = []
        for position, child in enumerate(route.routes):
            self._place(child).append(position)

    def match(self, labels: Mapping[str, str]) -> list[Route]:
        """Return the routes that an alert goes to, in the order of the tree; empty where this one does not match."""
        if not matches(self._route.matchers, labels):
            return []
        found: list[Route] = []
        for position in self._candidates(labels):
            child = self._children[position]
            below = child.match(labels)
            found += below
            if below and not self._route.routes[position].is_continuing:
                break
        return found or [self._route]

    def _place(self, child: Route) -> list[int]:
        for matcher in child.matchers:
            # An empty value is also that of a label that is not there.
            if matcher.op is MatchOp.EQUAL and matcher.value:
                return self._by_value.setdefault(matcher.name, {}).setdefault(matcher.value, [])
        return self._others

    def _candidates(self, labels: Mapping[str, str]) -> Iterable[int]:
        if not self._by_value:
            return self._others
        lists = [
            positions
            for name, by_value in self._by_value.items()
            if (positions := by_value.get(labels.get(name, ""))) is not None
        ]
        if not self._others and len(lists) == 1:
            return lists[0]
        return sorted(chain(self._others, *lists))
