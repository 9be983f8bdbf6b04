"""The command `test`: tries out rules without a daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.errors import ConfigError
from daemon.cli.failure import OK, PROBLEMS

TestFiles = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of rule tests, as promtool has them.")]


def rules(files: TestFiles) -> int:
    """Run unit tests of rules: promtool's file format, its output and its exit codes.

    Exit code 1 when a test fails or a file cannot be used.
    """
    passed = [_passes(file) for file in files]
    return OK if all(passed) else PROBLEMS


def _passes(file: Path) -> bool:
    from alerting.unit_test.run import run_file  # noqa: PLC0415 - numpy and the query engine would slow down --help

    print("Unit Testing: ", file)
    failures: tuple[str, ...]
    try:
        outcome = run_file(file)
    except ConfigError as error:
        failures = tuple(f"    {problem}" for problem in error.problems)
    else:
        failures = outcome.failures
        for warning in outcome.warnings:
            print(f"  WARNING: {warning}", file=sys.stderr)
    if not failures:
        print("  SUCCESS\n")
        return True
    sys.stdout.flush()
    print("  FAILED:", *failures, sep="\n", end="\n\n", file=sys.stderr)
    return False
