"""The command: every check, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.errors import ConfigError, WatchkeeperError
from daemon.cli.doctor.finding import Finding
from daemon.cli.failure import OK, PROBLEMS
from daemon.cli.options import Json
from daemon.cli.output import Output
from daemon.cli.own import Config
from daemon.cli.wording import plural, state

State = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Instead of the configured directory.")]


def doctor(config: Config = None, state_directory: State = None, as_json: Json = False) -> int:
    """Check this machine for what the daemon needs.

    Exit code 1 when a check fails; warnings alone leave it 0.
    """
    findings = list(examine(config, state_directory))
    output = Output()
    if as_json:
        output.document({"findings": [asdict(finding) for finding in findings]})
    else:
        print_findings(output, findings)
    return PROBLEMS if any(finding.level == "fail" for finding in findings) else OK


def print_findings(output: Output, findings: list[Finding]) -> None:
    """Write one line for each finding, and the sum."""
    for finding in findings:
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        padding = " " * (4 - len(finding.level))
        output.line(state(finding.level), f"{padding}  {finding.check:<9} {finding.message}{remedy}")
    failed = sum(finding.level == "fail" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    output.line()
    output.line(f"{plural(len(findings), 'check')}: {failed} failed, {plural(warned, 'warning')}")


def examine(config: Path | None, state_directory: Path | None) -> Iterator[Finding]:
    """Yield what each check found; a check that cannot be made is a finding too."""
    from daemon.cli.doctor import checks  # noqa: PLC0415 - what it reads would slow down --help

    yield checks.python_version()
    foreign = checks.foreign_daemon()
    yield foreign
    if foreign.level == "fail":
        return  # our own module may not be importable, so the rest would only confuse
    yield from _configured(config, state_directory)
    yield checks.clock_synchronised()
    yield checks.open_files()
    yield from checks.optional_programs()


def _configured(file: Path | None, state_directory: Path | None) -> Iterator[Finding]:
    from daemon import config as configuration  # noqa: PLC0415 - it brings all parts of the daemon along
    from daemon import preparation  # noqa: PLC0415
    from daemon.cli.doctor import checks  # noqa: PLC0415

    try:
        problems = preparation.check(file) if file else []
        loaded = configuration.load(None if problems else file)
    except ConfigError as error:
        problems, loaded = list(error.problems), configuration.load(None)
    except WatchkeeperError as error:
        yield Finding("fail", "config", str(error))
        return
    if problems:
        rest = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        yield Finding("fail", "config", f"{problems[0]}{rest}", f"see 'watchkeeper check {file}'")
    else:
        yield Finding("ok", "config", f"{file} is valid" if file else "built-in defaults")
    yield checks.state_directory(state_directory or loaded.state_directory)
    yield checks.address(loaded.root.web.listen)
