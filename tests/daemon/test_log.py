import io
import json
import logging
from collections.abc import Iterator

import pytest

from daemon.log import set_up_logging


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _line(form: str, environment: dict[str, str]) -> str:
    stream = io.StringIO()
    set_up_logging(level="info", form=form, stream=stream, environment=environment)
    logging.getLogger("a.b").warning("two\nlines of %s", "text")
    logging.getLogger("a.b").debug("unseen")
    return stream.getvalue()


def test_text_has_time_level_and_name() -> None:
    line = _line("text", {})
    assert line.endswith("Z warning a.b: two\nlines of text\n")


def test_journal_gets_the_priority_on_every_line() -> None:
    assert _line("text", {"JOURNAL_STREAM": "8:1"}) == "<4>a.b: two\n<4>lines of text\n"


def test_json_is_one_line_with_fields() -> None:
    record = json.loads(_line("json", {}))
    assert (record["level"], record["logger"], record["message"]) == ("warning", "a.b", "two\nlines of text")
