"""Which rules a frame is news to: those with a selector that one of its series satisfies.

The answer belongs to the layout, so it is worked out once per source and kept while the layout stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from metrics.frame import Layout
from metrics.label import METRIC_NAME, Labels, metric_name
from metrics.storage import Matcher, MatchOp

SCAN_LIMIT = 200
"""Series of one name that are compared with a selector before it is taken to be touched: a rule evaluated without
need costs less than comparing a hundred thousand series with each of a thousand rules."""

R = TypeVar("R")


class Touch(Generic[R]):
    """Remembers, per source, which readers its layout touches.

    Args:
        readers: each with the matchers of its selectors.
    """

    def __init__(self, readers: Sequence[tuple[R, Sequence[Sequence[Matcher]]]]) -> None:
        self._by_name: dict[str, list[tuple[int, Sequence[Matcher]]]] = {}
        self._by_pattern: list[tuple[int, Sequence[Matcher]]] = []
        self._readers = [reader for reader, _ in readers]
        for number, (_, selectors) in enumerate(readers):
            for matchers in selectors:
                self._add(number, matchers)
        self._known: dict[str, tuple[Layout, list[R]]] = {}

    def of(self, source: str, layout: Layout) -> list[R]:
        """Return the readers that this layout touches, in the order in which they were given."""
        known = self._known.get(source)
        if known is not None and known[0] is layout:
            return known[1]
        numbers = sorted(self._find(layout))
        touched = [self._readers[number] for number in numbers]
        self._known[source] = layout, touched
        return touched

    def end(self, source: str) -> list[R]:
        """Forget a source and return the readers that it touched: its series ending is news too."""
        known = self._known.pop(source, None)
        return [] if known is None else known[1]

    def _add(self, number: int, matchers: Sequence[Matcher]) -> None:
        name = next((m.value for m in matchers if m.name == METRIC_NAME and m.op is MatchOp.EQUAL), None)
        if name is None:
            self._by_pattern.append((number, tuple(matchers)))
        else:
            rest = tuple(m for m in matchers if not (m.name == METRIC_NAME and m.value == name))
            self._by_name.setdefault(name, []).append((number, rest))

    def _find(self, layout: Layout) -> set[int]:
        by_name: dict[str, list[Labels]] = {}
        for labels in layout.series:
            by_name.setdefault(metric_name(labels), []).append(labels)
        found: set[int] = set()
        for name, series in by_name.items():
            for number, matchers in self._by_name.get(name, ()):
                if number not in found and _any_matches(series, matchers):
                    found.add(number)
            for number, matchers in self._by_pattern:
                if number not in found and _any_matches(series, matchers):
                    found.add(number)
        return found


def _any_matches(series: Sequence[Labels], matchers: Sequence[Matcher]) -> bool:
    if not matchers or len(series) > SCAN_LIMIT:
        # Target labels are the same throughout a source, so the first series speaks for all about them.
        return all(
            matcher.matches(dict(series[0]).get(matcher.name, "")) for matcher in matchers if _is_target(matcher)
        )
    return any(all(m.matches(mapping.get(m.name, "")) for m in matchers) for mapping in map(dict, series))


def _is_target(matcher: Matcher) -> bool:
    return matcher.name in ("job", "instance", METRIC_NAME)
