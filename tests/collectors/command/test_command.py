from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from collectors.collector import CollectError, Collector, CollectorPlugin, Readings
from collectors.command import CommandPlugin
from collectors.context import CollectorContext
from metrics.label import format_labels
from tests.collectors.conftest import Configure
from tests.collectors.section import validated
from tests.fakes.clock import settle

Make = Callable[..., Collector]


@pytest.fixture
def make(context: CollectorContext) -> Make:
    def made(*argv: str, **options: Any) -> Collector:
        plugin: CollectorPlugin = CommandPlugin()
        config = validated(plugin, [{"name": "check", "argv": argv, **options}])
        [collector] = plugin.build(config, context)
        return collector

    return made


def series_of(readings: Readings) -> dict[str, float]:
    return dict(zip(map(format_labels, readings.layout.series), readings.values.tolist(), strict=True))


async def test_prometheus_text_is_read_and_labelled(make: Make) -> None:
    text = '# TYPE raid_disks gauge\nraid_disks{array="md0"} 4\nraid_disks{array="md1",service="own"} 2\n'
    collector = make("printf", "%s", text, labels={"service": "storage"})
    first, second = await collector.collect(), await collector.collect()
    assert series_of(first) == {
        'raid_disks{array="md0",command="check",service="storage"}': 4.0,
        'raid_disks{array="md1",command="check",service="own"}': 2.0,
    }
    assert second.layout is first.layout
    assert first.families["raid_disks"].type.value == "gauge"


async def test_nagios_plugins_are_read_with_state_and_numbers(make: Make) -> None:
    collector = make("sh", "-c", "echo 'DISK WARNING - 9% free|/=91%;90;95'; exit 1", format="nagios")
    readings = await collector.collect()
    assert series_of(readings) == {
        'command_exit_code{command="check"}': 1.0,
        'nagios_state{command="check"}': 1.0,
        'nagios_perfdata{command="check",label="/",unit="%"}': 91.0,
    }
    assert readings.problem == "DISK WARNING - 9% free"


async def test_no_shell_looks_at_arguments(make: Make) -> None:
    collector = make("printf", "%s 1\n", "$HOME;echo", format="nagios")
    assert 'command_exit_code{command="check"}' in series_of(await collector.collect())
    with pytest.raises(CollectError, match="line 1"):
        await make("printf", "%s 1\n", "$(id)").collect()


async def test_only_variables_that_are_named_reach_the_command(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "1")
    monkeypatch.setenv("ALLOWED", "2")
    script = 'echo "x{secret=\\"$SECRET_TOKEN\\",allowed=\\"$ALLOWED\\"} 1"'
    readings = await make("/bin/sh", "-c", script, environment=["ALLOWED", "MISSING"]).collect()
    assert series_of(readings) == {'x{allowed="2",command="check"}': 1.0}


async def test_it_runs_in_its_folder_with_nothing_to_read(make: Make, context: CollectorContext) -> None:
    (context.base / "value").write_text("x 5\n")
    readings = await make("sh", "-c", "cat value -", working_directory=".").collect()
    assert series_of(readings) == {'x{command="check"}': 5.0}


@pytest.mark.parametrize(
    ("argv", "options", "message", "reason"),
    [
        (["/no/such/program"], {}, "cannot start /no/such/program: /no/such/program: No such file", "start"),
        (["true"], {"working_directory": "gone"}, "cannot start true: ", "start"),
        (["sh", "-c", "echo oops >&2; exit 3"], {}, "exit code 3: oops", "exit_code"),
        (["sh", "-c", "kill -9 $$"], {}, "exit code -9", "exit_code"),
        (["echo", "no metrics at all!"], {}, "line 1: ", "parse"),
        (["printf", r"x \377\n"], {}, "line 1: ", "parse"),
        (["sh", "-c", "while :; do echo 'x 1'; done"], {"max_output": "64KB"}, "prints more than 65536 bytes", "limit"),
    ],
)
async def test_failures_are_told_with_their_reason(
    make: Make, argv: list[str], options: dict[str, Any], message: str, reason: str
) -> None:
    with pytest.raises(CollectError) as caught:
        await make(*argv, **options).collect()
    assert str(caught.value).startswith(message)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


async def test_much_on_stderr_does_not_stop_a_command(make: Make) -> None:
    script = "import sys; sys.stderr.write('x' * 1000000); print('x 1')"
    readings = await make(sys.executable, "-c", script).collect()
    assert list(series_of(readings).values()) == [1.0]


async def test_at_the_timeout_the_command_and_its_children_are_killed(make: Make, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # Deaf to gentler signals, with a child that holds the pipes.
    script = f"trap '' TERM HUP INT; sleep 100 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; sleep 100"
    task = asyncio.ensure_future(make("sh", "-c", script).collect())
    async with asyncio.timeout(10):
        while not pids.exists():
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        numbers = [int(text) for text in pids.read_text().split()]
        while any(_runs(number) for number in numbers):
            await asyncio.sleep(0.005)


def _runs(pid: int) -> bool:
    """Tell whether a process still runs; a child without a parent may stay a zombie in a container."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_command_that_is_cancelled_while_it_starts_leaves_nothing(make: Make) -> None:
    seconds = f"1000.{os.getpid()}"
    collector = make("sh", "-c", f"sleep {seconds} & sleep {seconds}")
    for rounds in range(12):
        task = asyncio.ensure_future(collector.collect())
        await settle(rounds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(10):
        while any(seconds in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])):
            await asyncio.sleep(0.01)


async def test_a_command_is_in_a_session_of_its_own(make: Make) -> None:
    readings = await make(
        sys.executable, "-c", "import os; print('x', os.getsid(0)); print('y', os.getpid())"
    ).collect()
    assert len(set(readings.values.tolist())) == 1
    assert readings.values[0] != os.getsid(0)


def test_target_carries_the_name_of_the_command(make: Make) -> None:
    collector = make("true", labels={"service": "storage"})
    assert collector.source == "command/check"
    assert collector.target_labels == {
        "job": "command",
        "instance": "check",
        "command": "check",
        "service": "storage",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{name: x, argv: []}]", "at least 1 item"),
        ("[{name: x, argv: ['']}]", "names no program; write it first"),
        ("[{name: x, argv: uptime}]", "valid list"),
        ('[{name: x, argv: ["a\\0b"]}]', "has a NUL character in it"),
        ("[{name: x, argv: [a], format: xml}]", "'prometheus' or 'nagios'"),
        ("[{name: x, argv: [a]}, {name: x, argv: [b]}]", "two commands are called 'x'"),
        ("[{name: x, argv: [a], interval: 1s, timeout: 2s}]", "timeout 2 s is longer than interval 1 s"),
    ],
)
def test_mistakes_in_the_config_are_refused(configure: Configure, text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        configure(CommandPlugin(), text)
    assert message in str(caught.value)
