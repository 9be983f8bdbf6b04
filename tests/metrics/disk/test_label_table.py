"""Label tables: what goes in comes out, and matchers choose what they choose one series at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.disk.label_table import LabelTable
from metrics.label import Labels, label_value, labels_of
from metrics.storage import Matcher, MatchOp

NAME = st.sampled_from(["__name__", "job", "Zone", "ü", "a\nb"])
VALUE = st.text(max_size=3)
SERIES = st.lists(st.dictionaries(NAME, VALUE).map(labels_of), max_size=12)
MATCHER = st.builds(Matcher, NAME, st.sampled_from(MatchOp), st.sampled_from(["", "a", "b", "a|b", ".*", ".+"]))


@given(SERIES)
def test_labels_come_back(series: list[Labels]) -> None:
    table = LabelTable.from_bytes(LabelTable.of(series).to_bytes())

    assert table.all_labels() == series
    assert (table.hashes() == LabelTable.of(list(reversed(series))).hashes()[::-1]).all()


@given(SERIES, st.lists(MATCHER, max_size=3))
def test_matchers_choose_as_they_do_one_by_one(series: list[Labels], matchers: list[Matcher]) -> None:
    expected = [n for n, labels in enumerate(series) if all(m.matches(label_value(labels, m.name)) for m in matchers)]

    assert LabelTable.of(series).select(matchers).tolist() == expected


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        LabelTable.from_bytes(b"x\x9c\x03\x00\x00\x00\x00\x01")
