"""The whole of alerting, from a frame to what is told."""

from __future__ import annotations

from pathlib import Path

from tests.alerting.house import config_of, house

TARGET_DOWN = """
groups:
  - name: targets
    rules:
      - alert: TargetDown
        expr: up == 0
        for: 10s
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} is down"}
"""


async def test_an_alert_is_pending_then_fires_then_ends_and_so_does_its_incident(tmp_path: Path) -> None:
    async with house(tmp_path, config_of(TARGET_DOWN)) as here:
        assert await here.collect(3, up__instance__a=1) == []
        assert await here.collect(1, up__instance__a=0) == ["pending TargetDown"]
        assert await here.collect(9, up__instance__a=0) == []
        assert await here.collect(2, up__instance__a=0) == ["firing TargetDown", "opened TargetDown: a"]
        alert = here.alerting.alerts()[0]
        assert (alert.state, alert.severity, alert.annotations) == ("firing", "critical", {"summary": "a is down"})
        assert await here.collect(1, up__instance__a=1) == ["resolved TargetDown", "resolved TargetDown: a"]
        assert here.alerting.alerts() == []
