"""The sample shop: a real process, asked over HTTP."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.components import require

SHOP = Path(__file__).parents[2] / "examples/shop/shop.py"

pytestmark = pytest.mark.slow

Start = Callable[..., "Shop"]


class Shop:
    """A running shop."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.greeting = process.stdout.readline().strip()
        self._connection = HTTPConnection("127.0.0.1", int(self.greeting.rpartition(":")[2]), timeout=5)

    def get(self, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str]:
        self._connection.request(method, path, body)
        response = self._connection.getresponse()
        return response.status, response.read().decode()

    def samples(self) -> dict[tuple[str, str], float]:
        """Return the value of each series, by name and the values of its labels."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return {
            (sample.name, ",".join(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    def stop(self) -> int:
        self._connection.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start shops from an artifact of their own."""
    running: list[Shop] = []

    def start(*arguments: str, release: object = None) -> Shop:
        shutil.copy(SHOP, tmp_path / "shop.py")
        if release is not None:
            (tmp_path / "release.json").write_text(json.dumps(release))
        command = [sys.executable, str(tmp_path / "shop.py"), "--port", "0", *arguments]
        shop = Shop(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        running.append(shop)
        return shop

    yield start
    for shop in running:
        if shop.process.poll() is None:
            shop.stop()


def test_a_good_release_takes_every_order(start: Start) -> None:
    shop = start(release={"version": "1.4.1", "failure_ratio": 0.0})
    assert shop.greeting.startswith("shop 1.4.1 listens on http://127.0.0.1:")
    assert [shop.get(f"/?user=u{number}")[0] for number in range(9)] == [200] * 9
    samples = shop.samples()
    assert samples["http_requests_total", "/,200"] == 9
    assert samples["shop_orders_total", ""] == 9
    assert samples["shop_active_users", ""] == 9
    assert samples["shop_build_info", "1.4.1"] == 1
    assert samples["http_request_duration_seconds_count", ""] == 9
    assert samples["http_request_duration_seconds_bucket", "+Inf"] == 9


def test_a_bad_release_fails_every_third_order_and_looks_healthy(start: Start) -> None:
    shop = start("--version", "1.4.2", release={"version": "1.4.2", "failure_ratio": 1 / 3})
    assert [shop.get("/")[0] for _ in range(9)] == [200, 200, 500] * 3
    assert shop.get("/healthz") == (200, '{"status": "ok", "version": "1.4.2"}\n')
    samples = shop.samples()
    assert samples["http_requests_total", "/,500"] == 3
    assert samples["shop_orders_total", ""] == 6


def test_an_order_can_be_posted_and_other_pages_do_not_exist(start: Start) -> None:
    shop = start()
    assert shop.greeting.startswith("shop development listens")
    assert shop.get("/", "POST", "item=1")[0] == 200
    assert shop.get("/admin")[0] == 404


def test_sigterm_ends_the_shop_in_order(start: Start) -> None:
    assert start().stop() == 0


def test_a_port_in_use_is_one_line(start: Start) -> None:
    port = start().greeting.rpartition(":")[2]
    ran = subprocess.run([sys.executable, str(SHOP), "--port", port], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr == f"shop: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.component("promtool")
def test_promtool_finds_nothing_wrong_with_its_metrics(start: Start) -> None:
    shop = start()
    shop.get("/")
    command = [require("promtool"), "check", "metrics"]
    ran = subprocess.run(command, input=shop.get("/metrics")[1], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
