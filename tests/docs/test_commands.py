"""Every config and every command of README and docs is run, in a network and process namespace of its own.

A fenced block ```sh is run as it stands, in a folder that holds the documents' configs and a copy of examples/; a
daemon is started before it unless the block starts one. In the namespace every port is free, so nothing is rewritten,
and everything that was started ends with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.config import load
from tests.components import require

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_RUN = """
set -euo pipefail
ip link set lo up
ready() {
  for _ in $(seq 300); do
    curl --fail --silent --output /dev/null http://127.0.0.1:8797/-/ready && return
    sleep 0.1
  done
  echo "the daemon is not ready" >&2; return 1
}
"""


@dataclass(frozen=True)
class Block:
    document: Path
    line: int
    language: str
    title: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(language: str, title: str = "") -> Iterator[Block]:
    for document in DOCUMENTS:
        content = document.read_text()
        for match in _FENCE.finditer(content):
            if match[1] == language and match[2].strip() == title:
                line = content.count("\n", 0, match.start()) + 1
                yield Block(document, line, language, title, match[3])


def _config_name(block: Block) -> str:
    match = re.match(r"# ([\w.-]+\.yml)\n", block.text)
    assert match, f"{block.id}: the first line of a config names its file: # watchkeeper.yml"
    return match[1]


@pytest.mark.parametrize("block", list(blocks("yaml")), ids=lambda block: block.id)
def test_config_in_the_documents_is_valid(block: Block, tmp_path: Path) -> None:
    file = tmp_path / _config_name(block)
    file.write_text(block.text)
    load(file)


def _script(block: Block) -> str:
    lines = [line + "\nready" if line.endswith("&") else line for line in block.text.splitlines()]
    starts_a_daemon = any(line.startswith(("watchkeeper run", "watchkeeper demo")) for line in lines)
    before = "" if starts_a_daemon else "watchkeeper run >daemon.log 2>&1 &\nready\n"
    return _RUN + before + "set -x\n" + "\n".join(lines) + "\n"


@pytest.mark.slow
@pytest.mark.component("unshare")
@pytest.mark.parametrize("block", list(blocks("sh")), ids=lambda block: block.id)
def test_commands_in_the_documents_succeed(block: Block, tmp_path: Path) -> None:
    unshare, bash = require("unshare"), require("bash")
    for program in ("ip", "curl"):
        require(program)
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    for config in blocks("yaml"):
        if config.document == block.document:
            (tmp_path / _config_name(config)).write_text(config.text)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "script").write_text(_script(block))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LANG": "C.UTF-8",
    }
    argv = [unshare, "--net", "--pid", "--fork", "--kill-child", "--mount-proc", bash, "script"]
    done = subprocess.run(
        argv, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, f"{block.id}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_every_link_between_documents_leads_somewhere() -> None:
    missing = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in [*DOCUMENTS, ROOT / "benchmarks/README.md"]
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert missing == []
