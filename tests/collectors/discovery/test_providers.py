from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from aiohttp import web
from dns.asyncresolver import Resolver

from collectors.discovery.config import DnsSdConfig, FileSdConfig, HttpSdConfig
from collectors.discovery.discovery import Discovered
from collectors.discovery.dns_sd import DnsProvider
from collectors.discovery.file_sd import FileProvider
from collectors.discovery.group import DiscoveryError, groups_from
from collectors.discovery.http_sd import HttpProvider
from collectors.http.session import SharedSession
from tests.collectors.server import serving

GROUPS = [{"targets": ["a:1", "b:2"], "labels": {"env": "prod"}}, {"targets": ["c:3"]}]


def addresses(found: Discovered) -> list[str]:
    return [target["__address__"] for group in found.groups for target in group.targets]


def file_provider(folder: Path, *files: str, **options: Any) -> FileProvider:
    return FileProvider("file_sd/0", FileSdConfig(files=list(files), **options), folder)


async def test_files_of_both_kinds_are_read_with_their_path(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(GROUPS))
    (tmp_path / "two.yml").write_text("- targets: ['d:4']\n  labels: {shard: 1, __metrics_path__: /m}\n")
    (tmp_path / "three.yaml").write_text("")
    found = await file_provider(tmp_path, "*.json", "*.yml", "three.yaml").refresh()
    assert addresses(found) == ["a:1", "b:2", "c:3", "d:4"]
    assert found.groups[0].labels == {"env": "prod", "__meta_filepath": str(tmp_path / "one.json")}
    assert found.groups[2].labels["shard"] == "1"
    assert found.problem == ""


async def test_a_file_that_becomes_bad_keeps_its_targets_and_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    for file in (good, bad):
        file.write_text(f"[{{targets: ['{file.stem}:1']}}]")
    provider = file_provider(tmp_path, "*.yml")
    assert addresses(await provider.refresh()) == ["bad:1", "good:1"]
    bad.write_text("[{targets: 'x'}]")
    good.write_text("[{targets: ['good:2']}]")
    found = await provider.refresh()
    assert addresses(found) == ["bad:1", "good:2"]
    assert found.problem == f"{bad}: group 0: targets must be a list of addresses"
    bad.write_text("[{targets: ['bad:2']}]")
    found = await provider.refresh()
    assert (addresses(found), found.problem) == (["bad:2", "good:2"], "")


async def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('[{"targets": ["a:1"]}]')
    provider = file_provider(tmp_path, "x.json")
    first = await provider.refresh()
    state = file.stat()
    file.write_text('[{"targets": ["b:1"]}]')
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert await provider.refresh() == first
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert addresses(await provider.refresh()) == ["b:1"]


async def test_targets_go_with_their_file(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('[{"targets": ["a:1"]}]')
    provider = file_provider(tmp_path, "x.json")
    await provider.refresh()
    file.unlink()
    assert await provider.refresh() == Discovered((), f"{file}: there is no such file")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "must be a list of groups with targets and labels, not a mapping"),
        (None, "not empty"),
        ([None], "group 0 must have targets and labels; it is empty"),
        ([{"targets": [], "label": {}}], "group 0 has the unknown key 'label'"),
        ([{"targets": [1]}], "group 0: targets must be a list of addresses"),
        ([{"labels": []}, {"labels": "x"}], "group 1: labels must be a mapping, not text"),
        ([{"labels": {"a-b": "x"}}], "'a-b' is no label name"),
        ([{"labels": {"a": ["x"]}}], "label a must be text, not a list"),
    ],
)
def test_data_of_another_form_is_refused(data: Any, message: str) -> None:
    with pytest.raises(DiscoveryError, match=message):
        groups_from(data, {})


@pytest.mark.parametrize("file", ["targets", "targets.txt", "*/*.yml", "a*b.ymlx"])
def test_only_files_of_targets_can_be_named(file: str) -> None:
    with pytest.raises(ValueError, match=r"is no file of targets"):
        FileSdConfig(files=[file])


def http_provider(url: str, folder: Path, **options: Any) -> HttpProvider:
    return HttpProvider("http_sd/0", HttpSdConfig(url=url, **options), folder, SharedSession(), ())


async def test_a_server_is_asked_as_prometheus_asks_it(tmp_path: Path) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response(GROUPS)

    async with serving(handler) as port:
        url = f"http://127.0.0.1:{port}/targets?x=y"
        provider = http_provider(url, tmp_path, refresh_interval=90, bearer_token="secret")
        found = await provider.refresh()
        await provider.close()
    assert addresses(found) == ["a:1", "b:2", "c:3"]
    assert found.groups[1].labels == {"__meta_url": url}
    assert seen[0].headers["X-Prometheus-Refresh-Interval-Seconds"] == "90"
    assert seen[0].headers["Authorization"] == "Bearer secret"
    assert seen[0].headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"status": 503}, "HTTP 503 Service Unavailable"),
        ({"text": "[]", "content_type": "text/html"}, "content type is 'text/html; charset=utf-8'"),
        ({"text": "[", "content_type": "application/json"}, "the answer is no JSON"),
        ({"text": "{}", "content_type": "application/json"}, "must be a list of groups"),
    ],
)
async def test_an_answer_of_another_kind_is_a_failure(tmp_path: Path, response: dict[str, Any], message: str) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(**response)

    async with serving(handler) as port:
        provider = http_provider(f"http://127.0.0.1:{port}/", tmp_path)
        with pytest.raises(DiscoveryError, match=message):
            await provider.refresh()
        await provider.close()


@pytest.mark.parametrize("url", ["inventory/targets", "ftp://x/", "http://", "http://x:0/", "http://x:y/"])
def test_only_addresses_of_the_web_can_be_asked(url: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        HttpSdConfig(url=url)


class NameServer(asyncio.DatagramProtocol):
    """Answers what `records` says; a name that is not there does not exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        found = self.records.get((str(question.name), kind))
        if self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
        elif not any(name == str(question.name) for name, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)


@pytest.fixture
async def names() -> Any:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    yield server
    transport.close()
    await asyncio.sleep(0)


def dns_provider(server: NameServer, **config: Any) -> DnsProvider:
    def make() -> Resolver:
        resolver = Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = server.transport.get_extra_info("sockname")[1]
        return resolver

    return DnsProvider("dns_sd/0", DnsSdConfig(**config), make)


@pytest.mark.parametrize(
    ("config", "record", "expected"),
    [
        (
            {},
            ("SRV", "0 0 9100 host.internal."),
            {
                "__address__": "host.internal:9100",
                "__meta_dns_srv_record_target": "host.internal.",
                "__meta_dns_srv_record_port": "9100",
            },
        ),
        ({"type": "a", "port": 80}, ("A", "10.0.0.1"), {"__address__": "10.0.0.1:80"}),
        ({"type": "AAAA", "port": 80}, ("AAAA", "fd00::1"), {"__address__": "[fd00::1]:80"}),
        (
            {"type": "MX", "port": 25},
            ("MX", "10 mail.internal."),
            {"__address__": "mail.internal:25", "__meta_dns_mx_record_target": "mail.internal."},
        ),
        (
            {"type": "NS", "port": 53},
            ("NS", "ns.internal."),
            {"__address__": "ns.internal:53", "__meta_dns_ns_record_target": "ns.internal."},
        ),
    ],
)
async def test_records_become_targets(
    names: NameServer, config: dict[str, Any], record: tuple[str, str], expected: dict[str, str]
) -> None:
    names.records["shop.internal.", record[0]] = [record[1]]
    found = await dns_provider(names, names=["shop.internal"], **config).refresh()
    [group] = found.groups
    assert list(group.targets) == [{**expected, "__meta_dns_name": "shop.internal"}]
    assert found.problem == ""


async def test_a_name_that_does_not_exist_has_no_targets_and_one_that_cannot_be_asked_keeps_them(
    names: NameServer,
) -> None:
    names.records["shop.internal.", "A"] = ["10.0.0.1"]
    names.records["other.internal.", "TXT"] = ["x"]
    provider = dns_provider(names, names=["shop.internal", "gone.internal", "other.internal"], type="A", port=1)
    assert addresses(await provider.refresh()) == ["10.0.0.1:1"]
    names.broken = True
    found = await provider.refresh()
    assert addresses(found) == ["10.0.0.1:1"]
    assert "shop.internal: " in found.problem
    names.broken = False
    names.records["shop.internal.", "A"] = ["10.0.0.2"]
    found = await provider.refresh()
    assert (addresses(found), found.problem) == (["10.0.0.2:1"], "")


def test_a_port_is_needed_where_records_have_none() -> None:
    with pytest.raises(ValueError, match="records of type A tell no port; set port"):
        DnsSdConfig(names=["x"], type="A")
