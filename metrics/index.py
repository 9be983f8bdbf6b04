"""Which series have which labels: postings from label name and value to series numbers.

It knows nothing of samples: numbers are given out by `add`, and the store remembers what lies behind them.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from metrics.label import METRIC_NAME, Labels, label_value, metric_name
from metrics.storage import Matcher, MatchOp

NumberArray = NDArray[np.uint32]

_FEW = 256
"""Up to so many candidates it is quicker to look at each one's labels than to unite and intersect postings."""

_AT_ONCE = 2_000
"""How many series are entered in one go while others wait for the index."""

_META = re.compile(r"[\\.+*?()\[\]{}^$]")


class Index:
    """Series by number, and their numbers by label.

    Numbers of removed series are given out again. At a start, series may be entered later: whatever needs them all
    enters first what waits.
    """

    def __init__(self) -> None:
        self._labels: list[Labels | None] = []
        self._free: list[int] = []
        self._postings: dict[str, dict[str, array[int]]] = {}
        self._waiting: list[tuple[list[int], Sequence[Labels]]] = []
        self._found: _Postings | None = None
        self._generations: dict[str, int] = {}
        self._generation = 0

    def __len__(self) -> int:
        return len(self._labels) - len(self._free)

    def labels(self, number: int) -> Labels:
        """Return the labels of a series."""
        labels = self._labels[number]
        assert labels is not None, "the number of a removed series was used"
        return labels

    def add(self, labels: Labels) -> int:
        """Enter a series and return its number; equal labels may be entered more than once."""
        return self.add_all((labels,))[0]

    def add_all(self, series: Sequence[Labels]) -> list[int]:
        """Enter many series and return their numbers."""
        numbers = self._new_numbers(series)
        self._enter(numbers, series, _Postings(self._postings))
        return numbers

    def add_later(self, series: Sequence[Labels]) -> list[int]:
        """Return the numbers of many series that are entered once somebody asks, or by enter_some()."""
        numbers = self._new_numbers(series)
        for start in range(0, len(series), _AT_ONCE):
            self._waiting.append((numbers[start : start + _AT_ONCE], series[start : start + _AT_ONCE]))
        return numbers

    def enter_some(self) -> bool:
        """Enter some of the series that wait, which takes a few milliseconds; tell whether there were any."""
        if not self._waiting:
            return False
        self._found = self._found or _Postings(self._postings)
        self._enter(*self._waiting.pop(), self._found)
        if not self._waiting:
            self._found = None
        return True

    def _enter(self, numbers: Sequence[int], series: Sequence[Labels], enter: _Postings) -> None:
        for number, labels in zip(numbers, series, strict=True):
            for pair in labels:
                enter[pair](number)
        self._changed({value for name, value in enter if name == METRIC_NAME} | {""})

    def _enter_all(self) -> None:
        while self.enter_some():
            pass

    def _new_numbers(self, series: Sequence[Labels]) -> list[int]:
        reused = [self._free.pop() for _ in range(min(len(self._free), len(series)))]
        for number, labels in zip(reused, series, strict=False):
            self._labels[number] = labels
        first = len(self._labels)
        self._labels += series[len(reused) :]
        return [*reused, *range(first, len(self._labels))]

    def remove(self, numbers: Iterable[int]) -> None:
        """Take series out."""
        self._enter_all()
        gone: dict[tuple[str, str], set[int]] = {}
        names: set[str] = set()
        for number in numbers:
            labels = self.labels(number)
            for pair in labels:
                gone.setdefault(pair, set()).add(number)
            self._labels[number] = None
            self._free.append(number)
            names.add(metric_name(labels))
        self._changed(names)
        for (name, value), dead in gone.items():
            self._shorten(name, value, dead)

    def generation(self, name: str | None) -> int:
        """Return a number that changes whenever series of a metric come or go; None for any metric."""
        self._enter_all()
        return self._generation if name is None else self._generations.get(name, 0)

    def label_names(self) -> list[str]:
        """Return every label name in use."""
        self._enter_all()
        return list(self._postings)

    def label_values(self, name: str) -> list[str]:
        """Return every value of a label."""
        self._enter_all()
        return list(self._postings.get(name, ()))

    def sizes(self) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        """Yield each label name with its values and how many series have them."""
        self._enter_all()
        for name, postings in self._postings.items():
            yield name, [(value, len(posting)) for value, posting in postings.items()]

    def select(self, matchers: Sequence[Matcher]) -> NumberArray:
        """Return the numbers of the series that satisfy every matcher, in no order."""
        self._enter_all()
        base = self._most_selective(matchers)
        numbers = self._all() if base is None else self._matching(base)
        rest = [matcher for matcher in matchers if matcher is not base]
        if len(numbers) <= _FEW:
            return self._filter_each(numbers, rest)
        for matcher in rest:
            numbers = self._filter(numbers, matcher)
        return numbers

    def _changed(self, metric_names: set[str]) -> None:
        self._generation += 1
        self._generations.update(dict.fromkeys(metric_names, self._generation))

    def _shorten(self, name: str, value: str, dead: set[int]) -> None:
        postings = self._postings[name]
        left = array("I", [number for number in postings[value] if number not in dead])
        if left:
            postings[value] = left
            return
        del postings[value]
        if not postings:
            del self._postings[name]

    def _all(self) -> NumberArray:
        return np.array([n for n, labels in enumerate(self._labels) if labels is not None], dtype=np.uint32)

    def _most_selective(self, matchers: Sequence[Matcher]) -> Matcher | None:
        """Return the matcher to begin with: one that needs its label to be there, the fewest series first."""
        demanding = [matcher for matcher in matchers if not matcher.matches("")]
        literal = [matcher for matcher in demanding if _literals(matcher) is not None]
        if literal:
            return min(literal, key=self._count)
        return demanding[0] if demanding else None

    def _count(self, matcher: Matcher) -> int:
        postings = self._postings.get(matcher.name, {})
        return sum(len(postings.get(value, ())) for value in _literals(matcher) or ())

    def _matching(self, matcher: Matcher) -> NumberArray:
        """Return the series that have the label, with a value that satisfies the matcher."""
        postings = self._postings.get(matcher.name, {})
        literals = _literals(matcher)
        if literals is not None:
            return _union([postings[value] for value in literals if value in postings])
        return _union([posting for value, posting in postings.items() if matcher.matches(value)])

    def _mismatching(self, matcher: Matcher) -> NumberArray:
        """Return the series that have the label, with a value that does not satisfy the matcher."""
        postings = self._postings.get(matcher.name, {})
        return _union([posting for value, posting in postings.items() if not matcher.matches(value)])

    def _filter_each(self, numbers: NumberArray, matchers: Sequence[Matcher]) -> NumberArray:
        if not matchers:
            return numbers
        kept = [n for n in numbers.tolist() if all(m.matches(label_value(self.labels(n), m.name)) for m in matchers)]
        return np.array(kept, dtype=np.uint32)

    def _filter(self, numbers: NumberArray, matcher: Matcher) -> NumberArray:
        mark = np.zeros(len(self._labels), dtype=np.bool_)
        if matcher.matches(""):
            mark[self._mismatching(matcher)] = True
            return numbers[~mark[numbers]]
        mark[self._matching(matcher)] = True
        return numbers[mark[numbers]]


def demanded_name(matchers: Sequence[Matcher]) -> str | None:
    """Return the only metric name that the matchers may select; None where they leave it open."""
    for matcher in matchers:
        if matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL:
            return matcher.value
    return None


class _Postings(dict[tuple[str, str], Callable[[int], None]]):
    """What enters a number for a pair of name and value; finds the posting once, or makes it."""

    def __init__(self, postings: dict[str, dict[str, array[int]]]) -> None:
        super().__init__()
        self._all = postings

    def __missing__(self, pair: tuple[str, str]) -> Callable[[int], None]:
        name, value = pair
        postings = self._all.setdefault(name, {})
        posting = postings.get(value)
        if posting is None:
            posting = postings[value] = array("I")
        self[pair] = posting.append
        return posting.append


def _literals(matcher: Matcher) -> list[str] | None:
    """Return the values that a matcher names one by one (`a`, or `a|b|c` as a regular expression), else None."""
    if matcher.op is MatchOp.EQUAL:
        return [matcher.value]
    if matcher.op is MatchOp.REGEX and not _META.search(matcher.value):
        return list(dict.fromkeys(matcher.value.split("|")))
    return None


def _union(postings: list[array[int]]) -> NumberArray:
    """Return the numbers of several postings of one label; they have none in common."""
    if len(postings) == 1:
        return np.array(postings[0], dtype=np.uint32)
    return np.fromiter(chain.from_iterable(postings), dtype=np.uint32, count=sum(map(len, postings)))
