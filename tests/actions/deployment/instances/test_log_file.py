from __future__ import annotations

import os
from pathlib import Path

from actions.deployment.instances import log_file


def test_small_log_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 100)
    assert not log_file.bound(path, 100)
    assert not log_file.bound(tmp_path / "missing.log", 100)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.log"]


def test_large_log_is_cut_in_place_and_its_end_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    writer = log_file.open_for_append(path)
    os.write(writer, b"old" * 100 + b"end")
    assert log_file.bound(path, 10)
    os.write(writer, b"new")
    os.close(writer)
    assert path.read_bytes() == b"new"
    assert (tmp_path / "a.log.1").read_bytes().endswith(b"end")
    assert len((tmp_path / "a.log.1").read_bytes()) == 10


def test_last_lines_are_clean_short_and_of_this_start_only(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"earlier\n")
    start = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"one\n\n\x1b[31mred\x1b[0m \xff\n" + b"x" * 1000 + b"\n\n")
    lines = log_file.last_lines(path, start)
    assert lines[:2] == ("one", "[31mred [0m \ufffd")
    assert len(lines[2]) == 300
    assert log_file.last_lines(path, 0, count=9)[0] == "earlier"
    assert log_file.last_lines(tmp_path / "missing") == ()


def test_log_that_was_cut_since_the_start_is_quoted_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("after the cut\n")
    assert log_file.last_lines(path, 5000) == ("after the cut",)
