from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.collector import CollectError, Readings
from collectors.selection import Selection
from collectors.target_frame import REPORT_FAMILIES, TargetFrames
from metrics.frame import Family, FloatArray, Layout, MetricType
from metrics.label import Labels, format_labels, labels_of
from metrics.relabel import Rule
from tests.collectors.fake_collector import by_series

TARGET = {"job": "shop", "instance": "127.0.0.1:9000"}


def readings_of(*series: Labels, values: list[float] | None = None) -> Readings:
    column: FloatArray = np.array(values if values is not None else range(len(series)), dtype=np.float64)
    return Readings(Layout(series), column, {"x": Family("x", MetricType.GAUGE)})


def series_names(readings: Readings, *, honor_labels: bool) -> list[str]:
    frames = TargetFrames("scrape/shop", TARGET, honor_labels=honor_labels)
    frame = frames.success(readings, 1000, 0.5)
    return [format_labels(labels) for labels in frame.layout.series[: -len(REPORT_FAMILIES)]]


# The cases are those of Prometheus' documentation of honor_labels.
@pytest.mark.parametrize(
    ("labels", "honor_labels", "expected"),
    [
        ({}, False, 'x{instance="127.0.0.1:9000",job="shop"}'),
        ({"job": "own"}, False, 'x{exported_job="own",instance="127.0.0.1:9000",job="shop"}'),
        ({"job": "own"}, True, 'x{instance="127.0.0.1:9000",job="own"}'),
        (
            {"job": "own", "exported_job": "older"},
            False,
            'x{exported_exported_job="own",exported_job="older",instance="127.0.0.1:9000",job="shop"}',
        ),
        ({"Zone": "a"}, False, 'x{Zone="a",instance="127.0.0.1:9000",job="shop"}'),
    ],
)
def test_target_labels_meet_labels_of_the_target(labels: dict[str, str], honor_labels: bool, expected: str) -> None:
    assert series_names(readings_of(labels_of({"__name__": "x", **labels})), honor_labels=honor_labels) == [expected]


def test_frame_carries_the_report_about_the_collection() -> None:
    frames = TargetFrames("scrape/shop", {"job": "shop"}, honor_labels=False)
    frame = frames.success(readings_of(labels_of({"__name__": "x"})), 1000, 0.5)
    assert by_series(frame) == {
        'x{job="shop"}': 0.0,
        'up{job="shop"}': 1.0,
        'scrape_duration_seconds{job="shop"}': 0.5,
        'scrape_samples_scraped{job="shop"}': 1.0,
        'scrape_samples_post_metric_relabeling{job="shop"}': 1.0,
        'scrape_series_added{job="shop"}': 1.0,
    }
    assert set(frame.families) == {"x", *REPORT_FAMILIES}


def test_failure_leaves_only_the_report_and_the_next_success_adds_all_series_again() -> None:
    frames = TargetFrames("scrape/shop", {"job": "shop"}, honor_labels=False)
    readings = readings_of(labels_of({"__name__": "x"}))
    frames.success(readings, 1000, 0.5)
    failed = by_series(frames.failure(2000, 0.25))
    assert failed['up{job="shop"}'] == 0.0
    assert failed['scrape_duration_seconds{job="shop"}'] == 0.25
    assert len(failed) == len(REPORT_FAMILIES)
    assert by_series(frames.success(readings, 3000, 0.5))['scrape_series_added{job="shop"}'] == 1.0


def test_layout_of_the_frame_is_kept_while_that_of_the_readings_is() -> None:
    frames = TargetFrames("scrape/shop", TARGET, honor_labels=False)
    readings = readings_of(labels_of({"__name__": "x"}))
    first = frames.success(readings, 1000, 0.5)
    second = frames.success(Readings(readings.layout, np.array([7.0])), 2000, 0.5)
    assert second.layout is first.layout
    assert second.values[0] == 7.0
    assert second.values[-1] == 0.0  # no series was added


def test_only_new_series_count_as_added() -> None:
    frames = TargetFrames("s", {"job": "shop"}, honor_labels=False)
    x, y = (labels_of({"__name__": name}) for name in "xy")
    frames.success(readings_of(x), 1000, 0.5)
    assert by_series(frames.success(readings_of(x, y), 2000, 0.5))['scrape_series_added{job="shop"}'] == 1.0
    assert by_series(frames.success(readings_of(y), 3000, 0.5))['scrape_series_added{job="shop"}'] == 0.0


def test_a_target_cannot_replace_the_report_by_an_up_of_its_own() -> None:
    frames = TargetFrames("s", {"job": "shop"}, honor_labels=False)
    readings = readings_of(labels_of({"__name__": "up"}), labels_of({"__name__": "x"}), values=[0.0, 5.0])
    frame = by_series(frames.success(readings, 1000, 0.5))
    assert frame['up{job="shop"}'] == 1.0
    assert frame['x{job="shop"}'] == 5.0
    assert frame['scrape_samples_scraped{job="shop"}'] == 2.0
    assert frame['scrape_samples_post_metric_relabeling{job="shop"}'] == 2.0


def test_times_that_samples_brought_stay_with_them() -> None:
    frames = TargetFrames("s", {"job": "shop"}, honor_labels=False)
    series = (labels_of({"__name__": "up"}), labels_of({"__name__": "x"}))
    readings = Readings(Layout(series), np.array([1.0, 2.0]), {}, np.array([500, 600], dtype=np.int64))
    frame = frames.success(readings, 1000, 0.5)
    assert frame.timestamps_ms is not None
    assert frame.timestamps_ms.tolist() == [600, 1000, 1000, 1000, 1000, 1000]


names = st.sampled_from(["job", "instance", "exported_job", "a", "Z", "exported_exported_job"])
label_sets = st.dictionaries(names, st.sampled_from("pq"), max_size=4).map(lambda d: labels_of({"__name__": "x", **d}))


@settings(max_examples=50)
@given(st.lists(st.lists(label_sets, unique=True, max_size=6), min_size=1, max_size=4), st.booleans())
def test_no_series_comes_twice_and_labels_are_sorted_whatever_the_target_gives(
    rounds: list[list[Labels]], honor_labels: bool
) -> None:
    frames = TargetFrames("s", TARGET, honor_labels=honor_labels)
    for series in rounds:
        frame = frames.success(readings_of(*series), 1000, 0.5)
        assert len(set(frame.layout.series)) == len(frame.layout) == len(frame.values)
        assert all(labels == tuple(sorted(labels)) for labels in frame.layout.series)
        fresh = TargetFrames("s", TARGET, honor_labels=honor_labels).success(readings_of(*series), 1000, 0.5)
        assert fresh.layout.series == frame.layout.series


def selecting(*rules: Rule, **limits: int) -> TargetFrames:
    return TargetFrames("scrape/shop", TARGET, honor_labels=False, selection=Selection(tuple(rules), **limits))


def test_series_are_relabelled_with_the_labels_of_the_target_and_counted_before_and_after() -> None:
    frames = selecting(
        Rule("drop", ("__name__", "job"), regex="y;shop"),
        Rule(source_labels=("__name__",), regex="x", target_label="__name__", replacement="z"),
        Rule("labeldrop", regex="instance"),
    )
    x, y = (labels_of({"__name__": name}) for name in "xy")
    frame = by_series(frames.success(readings_of(x, y, values=[1.0, 2.0]), 1000, 0.5))
    assert frame['z{job="shop"}'] == 1.0
    assert not any(name.startswith("y") for name in frame)
    assert frame['scrape_samples_scraped{instance="127.0.0.1:9000",job="shop"}'] == 2.0
    assert frame['scrape_samples_post_metric_relabeling{instance="127.0.0.1:9000",job="shop"}'] == 1.0
    assert frame['scrape_series_added{instance="127.0.0.1:9000",job="shop"}'] == 1.0


def test_series_that_become_one_are_counted_both_and_the_first_one_stays() -> None:
    frames = selecting(Rule("labeldrop", regex="a"))
    one, two = (labels_of({"__name__": "x", "a": value}) for value in "12")
    frame = by_series(frames.success(readings_of(one, two, values=[1.0, 2.0]), 1000, 0.5))
    assert frame['x{instance="127.0.0.1:9000",job="shop"}'] == 1.0
    assert frame['scrape_samples_post_metric_relabeling{instance="127.0.0.1:9000",job="shop"}'] == 2.0


def test_a_layout_that_stays_is_relabelled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Labels] = []

    def choose(_self: Selection, series: Labels) -> Labels:
        calls.append(series)
        return series

    monkeypatch.setattr(Selection, "choose", choose)
    frames = selecting(Rule("labeldrop", regex="a"))
    x, y = (labels_of({"__name__": name}) for name in "xy")
    readings = readings_of(x)
    first = frames.success(readings, 1000, 0.5)
    assert frames.success(readings, 2000, 0.5).layout is first.layout
    frames.success(readings_of(x, y), 3000, 0.5)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("rules", "limits", "message"),
    [
        ((), {"samples": 1}, "there are 2 samples, more than the limit of 1"),
        ((), {"labels": 2}, "'x' has 3 labels, more than the limit of 2"),
        ((), {"label_name_length": 7}, "label name '__name__' is longer than the limit of 7 bytes"),
        ((), {"label_value_length": 5}, "label 'instance' of 'x' is longer than the limit of 5 bytes"),
        ((Rule("labelkeep", regex="job"),), {}, "has no name after metric_relabel_configs"),
    ],
)
def test_what_breaks_a_limit_after_relabelling_is_refused_every_time(
    rules: tuple[Rule, ...], limits: dict[str, int], message: str
) -> None:
    frames = selecting(*rules, **limits)
    readings = readings_of(labels_of({"__name__": "x"}), labels_of({"__name__": "y"}))
    for _ in range(2):
        with pytest.raises(CollectError, match=message) as caught:
            frames.success(readings, 1000, 0.5)
        assert caught.value.reason == "limit"
        assert frames.knows(readings)


def test_samples_that_rules_drop_do_not_count_for_the_limit() -> None:
    frames = selecting(Rule("drop", ("__name__",), regex="y"), samples=1)
    readings = readings_of(labels_of({"__name__": "x"}), labels_of({"__name__": "y"}))
    assert len(frames.success(readings, 1000, 0.5).layout) == 1 + len(REPORT_FAMILIES)
