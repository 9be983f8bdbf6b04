"""A real Alertmanager and we send the same bytes for the same alerts."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import pytest

from alerting.alert import Alert
from alerting.notify.notice import Notice
from alerting.notify.payload import format_time, render_notice, sort_alerts
from alerting.route import default_route, group_key
from tests.alerting.makers import alert, ended
from tests.alerting.receiver import receiving
from tests.components import require

CONFIG = """
route: {{receiver: team, group_by: [alertname, service], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: team, webhook_configs: [{{url: "{url}", max_alerts: {max_alerts}}}]}}]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_api(one: Alert, external_url: str) -> dict[str, object]:
    assert one.fired_at is not None
    end = {} if one.resolved_at is None else {"endsAt": format_time(one.resolved_at)}
    return {
        "labels": dict(one.labels),
        "annotations": dict(one.annotations),
        "startsAt": format_time(one.fired_at),
        "generatorURL": f"{external_url}/#alert/{one.id}",
        **end,
    }


@pytest.mark.slow
@pytest.mark.component("prometheus-alertmanager")
@pytest.mark.parametrize("max_alerts", [0, 2])
async def test_messages_are_byte_for_byte_those_of_alertmanager(tmp_path: Path, max_alerts: int) -> None:
    program = require("prometheus-alertmanager")
    port, external = free_port(), "http://watchkeeper.test:8797"
    base = {"service": 'shop "x" é', "severity": "critical"}
    started = 1_700_000_000.25
    alerts = [
        alert("Errors", at=started, job="b", instance="2", note="<a href='x'>&\u2028\n\t\\", **base),
        alert("Errors", at=started + 1, job="b", instance="1", **base),
        alert("Errors", at=started + 2, job="a", instance="9", extra="y", **base),
        alert("Errors", at=started + 3, **base),
        alert("Errors", at=started + 3, extra="z", **base),
    ]
    async with receiving() as receiver:
        config = tmp_path / "alertmanager.yml"
        config.write_text(CONFIG.format(url=receiver.url, max_alerts=max_alerts))
        process = await asyncio.create_subprocess_exec(
            program, f"--config.file={config}", f"--storage.path={tmp_path}", f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=", f"--web.external-url={external}", "--web.route-prefix=/",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession() as session:
                await ready(session, port)
                await post(session, port, [as_api(one, external) for one in alerts])
                firing = await receiver.next()
                # Ends in the past that Alertmanager still tells: the same alerts, posted again with their ends.
                over = [ended(one, at=started + 60) for one in alerts]
                await post(session, port, [as_api(one, external) for one in over])
                resolved = await receiver.next()
        finally:
            process.terminate()
            await process.wait()
    labels = {name: alerts[0].labels[name] for name in ("alertname", "service") if name in alerts[0].labels}
    for got, expected in ((firing, alerts), (resolved, over)):
        notice = Notice(
            receiver="team",
            group_key=group_key(default_route("team"), labels),
            group_labels=labels,
            alerts=sort_alerts(expected),
            status="firing",
            external_url=external,
            now=0,
        )
        ours = render_notice(notice, max_alerts=max_alerts)
        assert got.body.decode() == ours, json.dumps(got.message, indent=1)


async def ready(session: aiohttp.ClientSession, port: int) -> None:
    for _ in range(200):
        try:
            async with session.get(f"http://127.0.0.1:{port}/-/ready") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)
    pytest.fail("Alertmanager did not become ready")


async def post(session: aiohttp.ClientSession, port: int, alerts: list[dict[str, object]]) -> None:
    async with session.post(f"http://127.0.0.1:{port}/api/v2/alerts", json=alerts) as response:
        assert response.status == 200, await response.text()
