"""Alerts in the database come back as they were written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, create_engine, text

from alerting.alert import AlertState, Transition
from alerting.migrations import MIGRATIONS
from alerting.rule_state import Change
from alerting.store import RESOLVED_KEPT, RESOLVED_SLACK, load_active, load_resolved, save_changes
from core.db.migration import migrate
from metrics.label import labels_of
from tests.alerting.makers import alert, ended


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        migrate(connection, MIGRATIONS)
        yield connection
    engine.dispose()


@pytest.mark.parametrize("value", [1.5, -0.0, math.inf, 0.1 + 0.2])
def test_an_active_alert_comes_back(connection: Connection, value: float) -> None:
    series = labels_of({"instance": 'a"\n\u2028', "__meta": "x"})
    written = Change(
        Transition.FIRING, replace(alert(instance="a", odd="é\n"), value=value), series, missing_since=150.25
    )
    save_changes(connection, [written])
    assert load_active(connection) == [replace(written, transition=None)]


def test_a_value_that_is_no_number_comes_back(connection: Connection) -> None:
    save_changes(connection, [Change(Transition.FIRING, replace(alert(), value=math.nan), ())])
    assert math.isnan(load_active(connection)[0].alert.value)


def test_a_pending_alert_that_went_away_is_forgotten(connection: Connection) -> None:
    pending = replace(alert(), state=AlertState.PENDING, fired_at=None)
    save_changes(connection, [Change(Transition.PENDING, pending, ())])
    save_changes(connection, [Change(Transition.INACTIVE, ended(pending), ())])
    assert connection.execute(text("SELECT count(*) FROM alert")).scalar() == 0


def test_resolved_alerts_are_kept_in_number(connection: Connection) -> None:
    over = [ended(alert(n=str(number)), at=number) for number in range(RESOLVED_KEPT + RESOLVED_SLACK + 1)]
    save_changes(connection, [Change(Transition.RESOLVED, each, ()) for each in over])
    assert connection.execute(text("SELECT count(*) FROM alert")).scalar() == RESOLVED_KEPT
    assert [each.labels["n"] for each in load_resolved(connection, 2)] == ["1100", "1099"]
    assert load_active(connection) == []
