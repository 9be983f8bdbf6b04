from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from actions.action import ActionContext, Order, PlannedStep
from actions.command import OUTPUT_BYTES, CommandAction
from core.errors import PermanentError
from tests.fakes.clock import FakeClock


async def _run(*argv: str, **parameters: Any) -> str:
    order = Order("7", "shop", "production", {"argv": list(argv), **parameters}, "ann", "", 0.0, automatic=False)
    step = CommandAction().step(PlannedStep("run"), order, ActionContext(FakeClock(), Path("/")))
    assert await step.observe() is None
    return await step.make_it_so()


async def test_output_is_the_detail_of_the_step() -> None:
    assert await _run("printf", "one\\ntwo\\n") == "one | two"
    assert await _run("true") == "ended with status 0"


async def test_arguments_meet_no_shell() -> None:
    assert await _run("printf", "%s", "$HOME; id") == "$HOME; id"


async def test_status_other_than_zero_is_told_with_the_output() -> None:
    with pytest.raises(PermanentError, match="sh ended with status 3: no room"):
        await _run("sh", "-c", "echo no room >&2; exit 3")


async def test_missing_program_is_told() -> None:
    with pytest.raises(
        PermanentError, match="cannot start '/no/such/program': No such file or directory; check `argv`"
    ):
        await _run("/no/such/program")


async def test_only_listed_variables_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    output = await _run(sys.executable, "-c", "import os; print(sorted(os.environ))", environment={"MODE": "safe"})
    assert "SECRET_TOKEN" not in output
    assert "MODE" in output
    assert "WATCHKEEPER_OPERATION" in output


async def test_only_the_end_of_long_output_is_kept() -> None:
    output = await _run("sh", "-c", f"head -c {OUTPUT_BYTES * 20} /dev/zero | tr '\\0' x; echo; echo last")
    assert output.endswith("last")
    assert len(output) <= 1000


async def test_command_that_takes_too_long_ends_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(PermanentError, match=r"sh did not end within 0.3 s; raise `timeout`"):
        await _run("sh", "-c", script, timeout="300ms")
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"
    assert os.getpid() != child
