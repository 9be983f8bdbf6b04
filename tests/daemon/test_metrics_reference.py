import re
from pathlib import Path

from daemon.metrics_reference import declared, reference

_ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"\"(watchkeeper_[a-z0-9_]+)\"")


def test_reference_in_the_docs_is_what_the_code_says() -> None:
    assert (_ROOT / "docs" / "metrics.md").read_text() == reference(), (
        "run: python -m daemon.metrics_reference > docs/metrics.md"
    )


def test_every_metric_has_a_meaning() -> None:
    found = list(declared(_ROOT))
    assert len(found) > 50
    assert [metric.name for metric in found if not metric.meaning.endswith(".")] == []


def test_no_metric_of_the_code_is_left_out() -> None:
    told = (_ROOT / "docs" / "metrics.md").read_text()
    rooms = (room for room in _ROOT.iterdir() if (room / "__init__.py").exists() and room.name != "tests")
    named = {name for room in rooms for file in room.rglob("*.py") for name in _NAME.findall(file.read_text())}
    assert {name for name in named if f"`{name}" not in told} == set()
