from pathlib import Path

from daemon.config_reference import reference

_FILE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_reference_in_the_docs_is_what_the_code_says() -> None:
    assert _FILE.read_text() == reference(), "run: python -m daemon.config_reference > docs/configuration.md"


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []
