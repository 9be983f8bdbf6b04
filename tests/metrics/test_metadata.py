"""What sources tell about their metrics."""

from __future__ import annotations

import numpy as np

from metrics.frame import Family, Frame, Layout, MetricType
from metrics.metadata import Metadata


def frame(source: str, *families: Family) -> Frame:
    return Frame(source, 0, Layout(()), np.empty(0), families={family.name: family for family in families})


def test_the_newest_telling_holds() -> None:
    metadata = Metadata()
    metadata.note(frame("a", Family("x", MetricType.GAUGE)))
    metadata.note(frame("a", Family("x", MetricType.COUNTER, "Xs.")))
    assert metadata.by_name() == {"x": (Family("x", MetricType.COUNTER, "Xs."),)}
    assert metadata.of_source("a")["x"].help == "Xs."


def test_a_failed_collection_leaves_what_was_told() -> None:
    metadata = Metadata()
    metadata.note(frame("a", Family("x", MetricType.GAUGE)))
    metadata.note(frame("a"))
    assert list(metadata.by_name()) == ["x"]


def test_sources_that_tell_the_same_are_one_telling() -> None:
    metadata = Metadata()
    for source in ("a", "b"):
        metadata.note(frame(source, Family("x", MetricType.GAUGE)))
    metadata.note(frame("c", Family("x", MetricType.GAUGE, "Other.")))
    assert len(metadata.by_name()["x"]) == 2


def test_a_source_that_ends_is_forgotten() -> None:
    metadata = Metadata()
    metadata.note(frame("a", Family("x", MetricType.GAUGE)))
    metadata.end("a")
    metadata.end("never there")
    assert metadata.by_name() == {}
    assert metadata.of_source("a") == {}
