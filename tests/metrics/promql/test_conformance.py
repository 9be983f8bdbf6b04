"""Prometheus' own query tests, where their files are at hand."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.metrics.promql.script import Outcome, Report, run_file

_PROJECT = Path(__file__).resolve().parents[3]
_FOLDER = Path(os.environ.get("WATCHKEEPER_CONFORMANCE", _PROJECT.parent / "shared" / "conformance")) / "promql"
_FLOOR = 709
"""How many evaluations have passed; fewer must not."""


def _reports() -> list[Report]:
    files = sorted(_FOLDER.glob("*.test")) if _FOLDER.is_dir() else []
    if not files:
        reason = f"needs Prometheus' query tests in {_FOLDER}; set WATCHKEEPER_CONFORMANCE to the folder above"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return [report for file in files for report in run_file(file)]


def test_prometheus_own_query_tests_pass() -> None:
    reports = _reports()
    counts = Counter(report.outcome for report in reports)
    print(", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome))

    failed = [str(report) for report in reports if report.outcome is Outcome.FAILED]

    unsupported = [str(report) for report in reports if report.outcome is Outcome.UNSUPPORTED]

    assert not failed, "\n".join(failed)
    assert not unsupported, "\n".join(unsupported)
    assert counts[Outcome.PASSED] >= _FLOOR
