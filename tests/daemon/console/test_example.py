"""The configuration that an empty page shows is a valid one."""

import re
from pathlib import Path

from daemon.api.console import FOLDER, assets
from daemon.config import load


def test_the_shown_configuration_can_be_used(tmp_path: Path) -> None:
    script = (FOLDER / "section_services.js").read_text()
    example = re.search(r"const EXAMPLE = `(.*?)`;", script, re.DOTALL)
    assert example is not None
    file = tmp_path / "watchkeeper.yml"
    file.write_text(example[1])
    assert load(file).root.services["shop"].environments["production"].instances == 2


def test_every_file_that_the_page_names_is_served() -> None:
    named = set()
    for asset in assets().values():
        text = asset.body.decode()
        named |= set(re.findall(r'(?:from "\./|"/console/)([\w.]+)"', text))
    assert named
    assert named <= set(assets())


def test_nothing_in_the_page_needs_what_the_policy_forbids() -> None:
    for name, asset in assets().items():
        text = asset.body.decode()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        if name.endswith(".html"):
            assert not re.search(r"\sstyle=|\son\w+=|<script>|<style>|https?://", text), name
