"""Which silences an alert satisfies, found without asking every silence for every alert. Pure but for memory.

A silence that wants a label to be something, or to begin with something, is looked up by that; the few others are
asked one by one. What was found for a label set is remembered, and after new silences only those are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alerting.matcher import Matcher
from alerting.silence import Silence, SilenceState
from metrics.storage import MatchOp

MAX_REMEMBERED = 50_000
"""So many label sets are remembered; 10,000 alerts take about 3 MB."""


@dataclass(slots=True)
class _Found:
    """The ids of silences that a label set satisfies, among the first `seen` that were added."""

    seen: int
    ids: tuple[str, ...]


class SilenceIndex:
    """The silences that are pending or active, ready to be asked."""

    def __init__(self) -> None:
        self._silences: dict[str, Silence] = {}
        self._added: list[str] = []
        self._by_prefix: dict[str, dict[int, dict[str, list[str]]]] = {}
        self._others: list[str] = []
        self._found: dict[frozenset[tuple[str, str]], _Found] = {}

    def rebuild(self, silences: Iterable[Silence]) -> None:
        """Take these silences and no others."""
        self.__init__()  # type: ignore[misc]
        for silence in silences:
            self.put(silence)

    def put(self, silence: Silence) -> None:
        """Add a silence, or take a new version of one whose matchers are the same."""
        if silence.id not in self._silences:
            self._added.append(silence.id)
            self._place(silence).append(silence.id)
        self._silences[silence.id] = silence

    def active(self, labels: Mapping[str, str], now: float) -> tuple[str, ...]:
        """Return the sorted ids of the active silences that these labels satisfy."""
        ids = self._satisfied(labels)
        if not ids:
            return ()
        return tuple(sorted(id_ for id_ in ids if self._silences[id_].state(now) is SilenceState.ACTIVE))

    def _satisfied(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        if not self._added:
            return ()
        key = frozenset(labels.items())
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            found = self._found[key] = _Found(len(self._added), self._ask(self._candidates(labels), labels))
        elif found.seen < len(self._added):
            found.ids += self._ask(self._added[found.seen :], labels)
            found.seen = len(self._added)
        return found.ids

    def _place(self, silence: Silence) -> list[str]:
        """Return the list that a silence belongs to: by the label, the length and the text of what tells most."""
        needle = _needle(silence)
        if needle is None:
            return self._others
        texts = self._by_prefix.setdefault(needle.name, {}).setdefault(len(needle.prefix), {})
        return texts.setdefault(needle.prefix, [])

    def _candidates(self, labels: Mapping[str, str]) -> Iterable[str]:
        for name, by_length in self._by_prefix.items():
            value = labels.get(name)
            if value:
                for length, texts in by_length.items():
                    yield from texts.get(value[:length], ())
        yield from self._others

    def _ask(self, ids: Iterable[str], labels: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(id_ for id_ in ids if self._silences[id_].matches(labels))


def _needle(silence: Silence) -> Matcher | None:
    """Return the matcher whose prefix leaves the fewest alerts; None where no matcher has one."""

    # The name of the alert is shared by many silences; any other label tells more.
    def weight(matcher: Matcher) -> tuple[bool, bool, int]:
        return matcher.name != "alertname", matcher.op is MatchOp.EQUAL, len(matcher.prefix)

    return max((matcher for matcher in silence.matchers if matcher.prefix), key=weight, default=None)
