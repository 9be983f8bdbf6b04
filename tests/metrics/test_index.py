"""The index finds by label what a look at every series finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import index as index_module
from metrics.index import Index, demanded_name
from metrics.label import Labels, label_value, labels_of
from metrics.storage import Matcher, MatchOp

VALUES = ["", "a", "b", "ab", "a|b", "a.b"]
PATTERNS = [*VALUES, "a.*", ".*", ".+", "a||b", "(a|b)", "[ab]", "|a"]


def matchers() -> st.SearchStrategy[Matcher]:
    return st.builds(
        Matcher, st.sampled_from(["__name__", "x", "y"]), st.sampled_from(list(MatchOp)), st.sampled_from(PATTERNS)
    )


def label_sets() -> st.SearchStrategy[Labels]:
    return st.fixed_dictionaries(
        {"__name__": st.sampled_from(["m", "n"]), "x": st.sampled_from(VALUES), "y": st.sampled_from(VALUES)}
    ).map(labels_of)


def satisfying(series: dict[int, Labels], wanted: list[Matcher]) -> list[int]:
    return sorted(n for n, labels in series.items() if all(m.matches(label_value(labels, m.name)) for m in wanted))


@pytest.mark.parametrize("few", [0, 256], ids=["by postings", "one by one"])
@given(
    entered=st.lists(label_sets(), max_size=12),
    removed=st.sets(st.integers(0, 11)),
    entered_later=st.lists(label_sets(), max_size=4),
    wanted=st.lists(matchers(), max_size=3),
)
def test_index_selects_what_a_look_at_every_series_selects(
    few: int, entered: list[Labels], removed: set[int], entered_later: list[Labels], wanted: list[Matcher]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_FEW", few)
        index = Index()
        series = {index.add(labels): labels for labels in entered}
        gone = [number for number in removed if number in series]
        index.remove(gone)
        for number in gone:
            del series[number]
        series |= {index.add(labels): labels for labels in entered_later}

        assert sorted(index.select(wanted).tolist()) == satisfying(series, wanted)
        assert len(index) == len(series)
        assert set(index.label_names()) == {name for labels in series.values() for name, _ in labels}
        assert set(index.label_values("x")) == {label_value(labels, "x") for labels in series.values()} - {""}


def test_number_of_a_removed_series_is_given_out_again() -> None:
    index = Index()
    first = index.add(labels_of({"__name__": "m", "x": "1"}))
    index.remove([first])

    assert index.add(labels_of({"__name__": "m", "x": "2"})) == first
    assert index.select([Matcher("x", MatchOp.EQUAL, "1")]).tolist() == []


def test_generation_changes_only_for_selections_that_a_change_concerns() -> None:
    index = Index()
    of_m, of_n, of_x = ([Matcher(*it)] for it in (
        ("__name__", MatchOp.EQUAL, "m"), ("__name__", MatchOp.EQUAL, "n"), ("x", MatchOp.EQUAL, "1")
    ))  # fmt: skip
    before = [index.generation(demanded_name(wanted)) for wanted in (of_m, of_n, of_x)]

    index.add(labels_of({"__name__": "m"}))

    after = [index.generation(demanded_name(wanted)) for wanted in (of_m, of_n, of_x)]
    assert [a != b for a, b in zip(after, before, strict=True)] == [True, False, True]


def test_series_entered_together_are_found_like_series_entered_one_by_one() -> None:
    series = [labels_of({"__name__": f"m{i % 3}", "x": str(i)}) for i in range(20)]
    together, singly = Index(), Index()
    for index in (together, singly):
        index.remove(index.add_all(series[:4])[1:3])

    numbers = together.add_all(series)

    assert numbers == [singly.add(labels) for labels in series]
    wanted = [Matcher("__name__", MatchOp.EQUAL, "m1")]
    assert sorted(together.select(wanted).tolist()) == sorted(singly.select(wanted).tolist())
    assert [together.labels(number) for number in numbers] == series


def test_series_that_wait_are_entered_before_anybody_is_answered() -> None:
    series = [labels_of({"__name__": f"m{i % 3}", "x": str(i)}) for i in range(5_000)]
    wanted = [Matcher("__name__", MatchOp.EQUAL, "m1")]
    index = Index()
    before = index.generation("m1")
    numbers = index.add_later(series)
    assert len(index) == 5_000
    assert index.enter_some()

    assert index.generation("m1") != before
    assert sorted(index.select(wanted).tolist()) == numbers[1::3]
    assert not index.enter_some()

    index.add_later(series[:1])
    index.remove(numbers[:1])
    assert set(index.label_values("x")) == {str(i) for i in range(5_000)}
