"""Probes and scrapes over TLS, with a certificate that openssl makes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from collectors.collector import CollectError, CollectorPlugin, Readings
from collectors.context import CollectorContext
from collectors.http_probe import HttpProbePlugin
from collectors.scrape import ScrapePlugin
from metrics.label import METRIC_NAME
from tests.collectors.peer import free_port, get, parse_text, running
from tests.collectors.section import validated
from tests.collectors.server import make_certificate, server_tls, serving
from tests.components import require

pytestmark = [pytest.mark.slow, pytest.mark.component("openssl")]


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(require("openssl"), tmp_path)


async def answer(_request: web.Request) -> web.Response:
    return web.Response(text="x 1\n")


async def probe(context: CollectorContext, url: str, **options: Any) -> Readings:
    plugin: CollectorPlugin = HttpProbePlugin()
    config = validated(plugin, [{"name": "front", "url": url, **options}])
    [collector] = plugin.build(config, context)
    try:
        return await collector.collect()
    finally:
        await collector.close()


def values_of(readings: Readings) -> dict[str, float]:
    names = ("phase", "version")
    return {
        "/".join([dict(labels)[METRIC_NAME], *(dict(labels)[name] for name in names if name in dict(labels))]): value
        for labels, value in zip(readings.layout.series, readings.values.tolist(), strict=True)
    }


@pytest.mark.parametrize("tls", [{"ca_file": "cert.pem"}, {"insecure_skip_verify": True}])
async def test_tls_is_timed_and_the_end_of_the_certificate_told(
    context: CollectorContext, certificate: tuple[Path, Path], tls: dict[str, Any]
) -> None:
    async with serving(answer, server_tls(*certificate)) as port:
        readings = await probe(context, f"https://localhost:{port}/", tls_config=tls)
    values = values_of(readings)
    assert readings.problem == ""
    assert (values["probe_success"], values["probe_http_ssl"]) == (1, 1)
    assert values["probe_ssl_earliest_cert_expiry"] == pytest.approx(time.time() + 3 * 86400, abs=60)
    assert values["probe_tls_version_info/TLS 1.3"] == 1
    for phase in ("resolve", "connect", "tls", "processing"):
        assert 0 < values[f"probe_http_duration_seconds/{phase}"] < values["probe_duration_seconds"]


async def test_an_unknown_certificate_and_a_wrong_name_fail_with_their_reason(
    context: CollectorContext, certificate: tuple[Path, Path]
) -> None:
    async with serving(answer, server_tls(*certificate)) as port:
        unknown = await probe(context, f"https://localhost:{port}/")
        wrong = await probe(
            context, f"https://localhost:{port}/", tls_config={"ca_file": "cert.pem", "server_name": "other.example"}
        )
    assert values_of(unknown)["probe_success"] == 0
    assert "self-signed certificate" in unknown.problem or "self signed" in unknown.problem
    assert "other.example" in wrong.problem


async def test_plain_http_on_a_tls_address_fails_with_its_reason(context: CollectorContext) -> None:
    async with serving(answer) as port:
        readings = await probe(context, f"https://127.0.0.1:{port}/", tls_config={"insecure_skip_verify": True})
    assert readings.problem.startswith("TLS: ")


async def test_metrics_are_scraped_over_tls(context: CollectorContext, certificate: tuple[Path, Path]) -> None:
    async def collect(port: int, **tls: Any) -> Readings:
        job = {"job_name": "x", "scheme": "https", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        config = validated(ScrapePlugin, [{**job, "tls_config": tls}])
        [collector] = ScrapePlugin().build(config, context)
        try:
            return await collector.collect()
        finally:
            await collector.close()

    async with serving(answer, server_tls(*certificate)) as port:
        assert (await collect(port, ca_file="cert.pem")).values.tolist() == [1.0]
        assert (await collect(port, insecure_skip_verify=True)).values.tolist() == [1.0]
        with pytest.raises(CollectError, match="TLS: ") as caught:
            await collect(port)
    assert caught.value.reason == "tls"


@pytest.mark.component("prometheus-blackbox-exporter")
async def test_names_types_and_values_agree_with_blackbox_exporter(
    context: CollectorContext, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    blackbox = require("prometheus-blackbox-exporter")
    modules = tmp_path / "blackbox.yml"
    modules.write_text(
        "modules: {http: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, "
        "tls_config: {insecure_skip_verify: true}}}}"
    )
    port = free_port()
    argv = [blackbox, f"--config.file={modules}", f"--web.listen-address=127.0.0.1:{port}"]
    async with (
        serving(answer, server_tls(*certificate)) as target,
        running(argv, f"http://127.0.0.1:{port}/"),
    ):
        url = f"https://localhost:{target}/"
        readings = await probe(context, url, tls_config={"insecure_skip_verify": True})
        types, theirs = parse_text(
            await asyncio.to_thread(get, f"http://127.0.0.1:{port}/probe?module=http&target={url}")
        )
    ours = {
        (dict(labels)[METRIC_NAME], frozenset(p for p in labels if p[0] not in (METRIC_NAME, "probe"))): value
        for labels, value in zip(readings.layout.series, readings.values.tolist(), strict=True)
    }
    assert set(ours) <= set(theirs)
    assert {name: types[name] for name in readings.families} == dict.fromkeys(readings.families, "gauge")
    timings = {"probe_duration_seconds", "probe_http_duration_seconds", "probe_dns_lookup_time_seconds"}
    # Go speaks HTTP/2 where it can, aiohttp HTTP/1.1; this server has only the latter.
    for key, value in ours.items():
        assert key[0] in timings or value == pytest.approx(theirs[key]), key
