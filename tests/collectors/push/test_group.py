"""What pushes amount to."""

from __future__ import annotations

import numpy as np
import pytest

from collectors.push.group import Group, InconsistentError, Pushed, content_from_json, read_push
from core.errors import UserError
from metrics.frame import Frame
from metrics.label import format_labels, labels_of

GROUPING = labels_of({"job": "backup", "instance": "db"})


def pushed(text: str, **options: int) -> Pushed:
    return read_push(text.encode(), "text/plain", GROUPING, **{"max_samples": 100, **options})


def shown(group: Group) -> dict[str, float]:
    frame: Frame = group.frame(group.layout(), 5)
    return {format_labels(labels): value for labels, value in zip(frame.layout.series, frame.values, strict=True)}


def test_a_group_has_its_labels_on_every_series_and_its_times() -> None:
    group = Group(GROUPING).pushed(pushed('a 1\nb{job="mine",x="y"} 2\n'), 100.0, replace_all=True)
    assert shown(group) == {
        'a{instance="db",job="backup"}': 1,
        'b{instance="db",job="backup",x="y"}': 2,
        'push_time_seconds{instance="db",job="backup"}': 100,
        'push_failure_time_seconds{instance="db",job="backup"}': 0,
    }


def test_post_replaces_the_families_that_it_brings_and_put_everything() -> None:
    histogram = '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 2\nh_count 1\n'
    group = Group(GROUPING).pushed(pushed("a 1\nb 2\n" + histogram), 1.0, replace_all=True)
    posted = group.pushed(pushed('b{x="y"} 3\n# TYPE h histogram\nh_sum 5\n'), 2.0, replace_all=False)
    names = [name.partition("{")[0] for name in shown(posted)]
    assert names == ["a", "b", "h_sum", "push_time_seconds", "push_failure_time_seconds"]
    put = posted.pushed(pushed("c 1\n"), 3.0, replace_all=True)
    assert [name.partition("{")[0] for name in shown(put)][:-2] == ["c"]
    assert list(put.content.families) == []


def test_a_group_cannot_push_its_own_times() -> None:
    group = Group(GROUPING).pushed(pushed("push_time_seconds 7\n"), 3.0, replace_all=True)
    assert shown(group)['push_time_seconds{instance="db",job="backup"}'] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 1700000000000\n", "have timestamps; push them without"),
        ('a{job="x"} 1\na{job="y"} 2\n', "comes twice"),
        ("a 1\na 2\n", "comes twice"),
    ],
)
def test_what_is_inconsistent_is_refused(text: str, message: str) -> None:
    with pytest.raises(InconsistentError, match=message):
        pushed(text)


@pytest.mark.parametrize("text", ["a b c\n", "a 1\nb 1\nc 1\n"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"the body cannot be read: .*; send the text format"):
        pushed(text, max_samples=2)


def test_protobuf_is_refused() -> None:
    with pytest.raises(UserError, match="protobuf is not supported"):
        read_push(b"", "application/vnd.google.protobuf", GROUPING, max_samples=1)


def test_content_survives_the_state_database() -> None:
    content = pushed('# TYPE a counter\n# HELP a Ä.\na{x="\\n"} NaN\nb +Inf\n')
    again = content_from_json(Group(GROUPING, content).to_json())
    assert (again.samples, again.families) == (content.samples, content.families)
    assert np.isnan(np.array([again.samples["a"][0][1]], dtype=np.uint64).view(np.float64)[0])
