from __future__ import annotations

import re
from pathlib import Path

from alerting.unit_test.run import run_file

DOCUMENT = Path(__file__).parents[3] / "docs" / "rules.md"


def test_the_example_in_the_documents_passes(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml (\S+)\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    outcome = run_file(tmp_path / "shop-test.yml")
    assert (outcome.failures, outcome.warnings) == ((), ())
