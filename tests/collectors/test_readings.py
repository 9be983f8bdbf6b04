from __future__ import annotations

from collectors.readings import Batch, Pairs, ReadingsBuilder
from metrics.frame import Family, MetricType
from metrics.label import format_labels

TEMPERATURE = Family("temperature_celsius", MetricType.GAUGE, "How warm it is.")
DURATION = Family("duration_seconds", MetricType.HISTOGRAM, "How long it took.")


def batch_of(*samples: tuple[Family, float, Pairs, str]) -> Batch:
    batch = Batch()
    for family, value, labels, suffix in samples:
        batch.add(family, value, labels, suffix=suffix)
    return batch


def test_layout_stays_the_same_object_while_only_values_change() -> None:
    builder = ReadingsBuilder()
    first = builder.build(batch_of((TEMPERATURE, 20.0, (("room", "a"),), "")))
    second = builder.build(batch_of((TEMPERATURE, 21.0, (("room", "a"),), "")))
    assert second.layout is first.layout
    assert second.families is first.families
    assert second.values.tolist() == [21.0]


def test_new_series_make_a_new_layout() -> None:
    builder = ReadingsBuilder()
    first = builder.build(batch_of((TEMPERATURE, 20.0, (("room", "a"),), "")))
    second = builder.build(batch_of((TEMPERATURE, 20.0, (("room", "b"),), "")))
    assert second.layout is not first.layout
    assert [format_labels(series) for series in second.layout.series] == ['temperature_celsius{room="b"}']


def test_suffix_follows_the_family_name_and_empty_labels_are_absent() -> None:
    readings = ReadingsBuilder().build(batch_of((DURATION, 3.0, (("le", "1"), ("empty", "")), "_bucket")))
    assert format_labels(readings.layout.series[0]) == 'duration_seconds_bucket{le="1"}'
    assert readings.families == {"duration_seconds": DURATION}


def test_of_a_series_measured_twice_the_first_value_counts() -> None:
    builder = ReadingsBuilder()
    samples = (
        (TEMPERATURE, 1.0, (("room", "a"),), ""),
        (TEMPERATURE, 2.0, (("room", "a"),), ""),
        (TEMPERATURE, 3.0, (("room", "b"),), ""),
    )
    for _ in range(2):
        readings = builder.build(batch_of(*samples))
        assert readings.values.tolist() == [1.0, 3.0]
        assert len(readings.layout) == 2


def test_no_series_at_all_is_fine() -> None:
    assert len(ReadingsBuilder().build(Batch()).layout) == 0
