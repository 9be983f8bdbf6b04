from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.deployment.instances.record import Record, Records, file_name, write_atomically

RECORD = Record("shop/production/r7/0", 12, 34, "boot", 1.5, 9000, "/log")


def test_record_is_read_back_as_written(tmp_path: Path) -> None:
    records = Records(tmp_path / "instances")
    records.write(RECORD)
    assert records.read(RECORD.id) == RECORD
    assert list(records.all()) == [RECORD]
    records.remove(RECORD.id)
    records.remove(RECORD.id)
    assert records.read(RECORD.id) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"id": "a"}', '{"id": "other", "unknown": 1}'])
def test_broken_record_counts_as_none(tmp_path: Path, content: str) -> None:
    records = Records(tmp_path)
    records.write(RECORD)
    next(tmp_path.glob("*.json")).write_text(content)
    assert records.read(RECORD.id) is None
    assert list(records.all()) == []


@given(st.text(min_size=1), st.text(min_size=1))
def test_file_names_are_single_visible_components_and_differ(one: str, other: str) -> None:
    name = file_name(one.encode(errors="replace").decode())
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= 200
    if one.encode(errors="replace") != other.encode(errors="replace"):
        assert name != file_name(other.encode(errors="replace").decode())


def test_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
