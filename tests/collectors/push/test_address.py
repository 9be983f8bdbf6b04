"""Grouping keys in addresses."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.push.address import grouping_of, source_of
from core.errors import UserError
from metrics.label import labels_of


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("job/backup", {"job": "backup"}),
        ("job/backup/", {"job": "backup"}),
        ("job/backup/instance/db%201/shard/3", {"job": "backup", "instance": "db 1", "shard": "3"}),
        ("job@base64/L3Zhci90bXA", {"job": "/var/tmp"}),
        ("job/a/path@base64/L3Zhci90bXA=", {"job": "a", "path": "/var/tmp"}),
        ("job/a/empty@base64/=", {"job": "a"}),
        ("job/a/job/b", {"job": "a"}),
    ],
)
def test_addresses_name_labels(path: str, labels: dict[str, str]) -> None:
    assert grouping_of(path) == labels_of(labels)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("job", "label without a value"),
        ("job/a/b", "label without a value"),
        ("job/", "label without a value"),
        ("job@base64/=", "names no job"),
        ("jobs/a", "names no job"),
        ("job/a/b-c/d", "'b-c' cannot be a label's name"),
        ("job/a/__name__/d", "'__name__' cannot be a label's name"),
        ("job/a/b@base64/%21", "no text in base64"),
        ("job/a/b@base64/_w", "no text in base64"),
    ],
)
def test_wrong_addresses_are_refused_in_words(path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        grouping_of(path)


@given(st.dictionaries(st.sampled_from(["a", "b", "instance"]), st.text()), st.text(min_size=1))
def test_any_text_can_be_a_value_in_base64(labels: dict[str, str], job: str) -> None:
    def encoded(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") or "="

    path = "/".join(f"{name}@base64/{encoded(value)}" for name, value in {"job": job, **labels}.items())
    assert grouping_of(path) == labels_of({**labels, "job": job})


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_groups_have_different_sources(one: str, other: str) -> None:
    groupings = {labels_of({"job": one}), labels_of({"job": other}), labels_of({"job": one, "a": other})}
    assert len({source_of(grouping) for grouping in groupings}) == len(groupings)
    assert quote(one, safe="") in source_of(labels_of({"job": one}))
