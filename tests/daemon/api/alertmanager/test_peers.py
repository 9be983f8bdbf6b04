"""amtool, a Prometheus that sends its alerts, and what Grafana asks, against a real daemon."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.components import require
from tests.daemon.running import RunningDaemon, free_port
from tests.peers import Peer

pytestmark = [pytest.mark.slow]

T = TypeVar("T")

CONFIG = """\
default_rules: {enabled: false}
route:
  receiver: team
  group_by: [alertname]
  group_wait: 1h
  routes:
  - {receiver: database, matchers: [service="db"]}
receivers:
- {name: team, webhook_configs: [{url: 'http://127.0.0.1:9/', send_resolved: true}]}
- {name: database}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    daemon = RunningDaemon(tmp_path_factory.mktemp("daemon"), CONFIG)
    daemon.start()
    yield daemon
    daemon.stop()


class Amtool:
    """Runs amtool against a daemon."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, *arguments: str) -> str:
        argv = [require("amtool"), f"--alertmanager.url={self._url}", *arguments]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--output=json"))


@pytest.fixture
def amtool(daemon: RunningDaemon) -> Amtool:
    return Amtool(daemon.url)


@pytest.mark.component("amtool")
def test_amtool_posts_and_lists_alerts(amtool: Amtool) -> None:
    amtool("alert", "add", "alertname=Disk", "service=db", "instance=a", "--annotation=summary=it is full")
    amtool("alert", "add", "Cpu", "service=web", "--generator-url=http://127.0.0.1/graph")
    (disk,) = amtool.json("alert", "query", "alertname=Disk")
    assert disk["labels"] == {"alertname": "Disk", "service": "db", "instance": "a"}
    assert disk["annotations"] == {"summary": "it is full"}
    assert disk["receivers"] == [{"name": "database"}]
    assert disk["status"]["state"] == "active"
    assert {one["labels"]["alertname"] for one in amtool.json("alert", "query", "service=~.+")} == {"Disk", "Cpu"}
    assert [one["labels"]["alertname"] for one in amtool.json("alert", "query", "--receiver=team")] == ["Cpu"]
    assert "Disk" in amtool("alert", "query", "service!=web")


@pytest.mark.component("amtool")
def test_amtool_adds_lists_updates_and_expires_silences(amtool: Amtool) -> None:
    amtool("alert", "add", "alertname=Memory", "service=db")
    id_ = amtool("silence", "add", "alertname=Memory", 'service=~"db|web"', "--comment=upgrade", "--author=ann").strip()
    (silence,) = amtool.json("silence", "query", "alertname=Memory")
    assert (silence["id"], silence["comment"], silence["createdBy"]) == (id_, "upgrade", "ann")
    assert amtool("silence", "query", "--quiet", 'service="db|web"').split() == [id_]
    assert amtool.json("alert", "query", "alertname=Memory") == []
    (silenced,) = amtool.json("alert", "query", "--silenced", "alertname=Memory")
    assert silenced["status"] == {"state": "suppressed", "silencedBy": [id_], "inhibitedBy": []} | (
        {"mutedBy": []} if "mutedBy" in silenced["status"] else {}
    )
    (updated,) = amtool.json("silence", "update", "--duration=3h", "--comment=takes longer", id_)
    assert updated["comment"] == "takes longer"
    lasts = datetime.fromisoformat(updated["endsAt"]) - datetime.now(UTC)
    assert timedelta(hours=2, minutes=55) < lasts < timedelta(hours=3, minutes=5)
    for one in amtool("silence", "query", "--quiet", "alertname=Memory").split():
        amtool("silence", "expire", one)
    assert amtool.json("silence", "query", "alertname=Memory") == []
    assert {one["id"] for one in amtool.json("silence", "query", "--expired", "alertname=Memory")} >= {id_}
    (alert,) = amtool.json("alert", "query", "alertname=Memory")
    assert alert["status"]["state"] == "active"


@pytest.mark.component("amtool")
def test_amtool_reads_the_configuration_and_routes_by_it(amtool: Amtool) -> None:
    assert "receiver: team" in amtool("config", "show")
    assert amtool("config", "routes", "test", "service=db").split() == ["database"]
    assert amtool("config", "routes", "test", "service=web").split() == ["team"]
    assert 'service="db"' in amtool("config", "routes", "show")
    assert "disabled" in amtool("cluster", "show")


def wait(look: Callable[[], T], *, seconds: float = 30.0) -> T:
    """Return the first true answer of another process."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := look():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.mark.component("prometheus")
def test_a_prometheus_sends_its_alerts_here(daemon: RunningDaemon, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: a, interval: 1s, rules: [{alert: Sent, expr: 'vector(1)', labels: {team: shop},"
        " annotations: {summary: 'value {{ $value }}'}}]}]"
    )
    (tmp_path / "prometheus.yml").write_text(
        "global: {evaluation_interval: 1s, external_labels: {site: berlin}}\nrule_files: [rules.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{daemon.port}']}}]}}]}}\n"
    )
    arguments = ["--config.file=prometheus.yml", "--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.path=data",
                 "--rules.alert.resend-delay=1s"]  # fmt: skip
    with Peer("prometheus", arguments, tmp_path) as prometheus:

        def sent() -> list[dict[str, Any]]:
            return [one for one in daemon.get("/api/v2/alerts") if one["labels"]["alertname"] == "Sent"]

        (alert,) = wait(sent)
        assert alert["labels"] == {"alertname": "Sent", "team": "shop", "site": "berlin"}
        assert alert["annotations"] == {"summary": "value 1"}
        assert "/graph?g0.expr=vector" in alert["generatorURL"]
        assert datetime.fromisoformat(alert["endsAt"]) > datetime.now(UTC)

        def counted(name: str) -> float:
            with urllib.request.urlopen(f"{prometheus.url}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            lines = [line for line in text.splitlines() if line.startswith(f"prometheus_notifications_{name}_total")]
            return sum(float(line.rpartition(" ")[2]) for line in lines)

        assert wait(lambda: counted("sent")) >= 1
        # Those of before Prometheus knew the address count as dropped.
        assert counted("errors") == 0


def grafana(daemon: RunningDaemon, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    """Ask as Grafana's proxy for data sources does."""
    headers = {"Accept": "application/json, text/plain, */*", "User-Agent": "Grafana/11.4.0", "X-Grafana-Org-Id": "1"}
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(daemon.url + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        content = answer.read()
        return answer.status, json.loads(content) if content else None


def test_what_grafanas_data_source_asks_is_answered(daemon: RunningDaemon) -> None:
    # The test of the data source, its lists of alerts, groups and silences, and its form for a silence.
    status, document = grafana(daemon, "/api/v2/status")
    assert status == 200
    assert {"cluster", "config", "uptime", "versionInfo"} <= set(document)
    now = datetime.now(UTC)
    body = [{"labels": {"alertname": "Seen", "service": "db"}, "annotations": {}, "startsAt": now.isoformat()}]
    assert grafana(daemon, "/api/v2/alerts", "POST", body) == (200, None)
    groups = grafana(daemon, "/api/v2/alerts/groups?active=true&silenced=true&inhibited=true&filter=alertname%3DSeen")[
        1
    ]
    assert [(group["receiver"], group["labels"]) for group in groups] == [({"name": "database"}, {"alertname": "Seen"})]
    wish = {
        "startsAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "endsAt": (now + timedelta(hours=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "comment": "created 2026-01-01 10:00", "createdBy": "admin",
        "matchers": [{"isEqual": True, "isRegex": False, "name": "alertname", "value": "Seen"}],
    }  # fmt: skip
    id_ = grafana(daemon, "/api/v2/silences", "POST", wish)[1]["silenceID"]
    assert id_ in [one["id"] for one in grafana(daemon, "/api/v2/silences")[1]]
    (alert,) = grafana(daemon, "/api/v2/alerts?silenced=true&filter=alertname%3DSeen")[1]
    assert alert["status"]["silencedBy"] == [id_]
    assert grafana(daemon, f"/api/v2/silence/{id_}", "DELETE") == (200, None)
    assert grafana(daemon, f"/api/v2/silence/{id_}")[1]["status"]["state"] == "expired"
    assert {"name": "team"} in grafana(daemon, "/api/v2/receivers")[1]


def test_posted_alerts_and_silences_outlive_a_power_cut(tmp_path: Path) -> None:
    daemon = RunningDaemon(tmp_path, CONFIG, port=free_port())
    daemon.start()
    try:
        now = datetime.now(UTC)
        matchers = [{"isEqual": True, "isRegex": False, "name": "alertname", "value": "Kept"}]
        end = (now + timedelta(hours=1)).isoformat()
        silence = {
            "matchers": matchers, "startsAt": now.isoformat(), "endsAt": end, "comment": "c", "createdBy": "a"
        }  # fmt: skip
        assert grafana(daemon, "/api/v2/alerts", "POST", [{"labels": {"alertname": "Kept"}}])[0] == 200
        id_ = grafana(daemon, "/api/v2/silences", "POST", silence)[1]["silenceID"]
        daemon.kill()
        daemon.start()

        def suppressed() -> list[dict[str, Any]]:
            return [one for one in daemon.get("/api/v2/alerts") if one["status"]["silencedBy"] == [id_]]

        (alert,) = wait(suppressed)
        assert alert["labels"] == {"alertname": "Kept"}
    finally:
        daemon.stop()
