"""Samples that others send over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import encode_basic_auth

from core.errors import StoreUnavailableError, UserError
from metrics.remote_write.block import compress
from tests.daemon.api.conftest import Serve, Served
from tests.metrics.remote_write.oracle import write_request

NOW_MS = 1_700_000_000_000
HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def request(*values: float, name: str = "m") -> bytes:
    samples = [(NOW_MS + i, value) for i, value in enumerate(values)]
    return compress(write_request([({"__name__": name, "job": "j"}, samples)]))


async def write(served: Served, body: bytes, headers: dict[str, str] = HEADERS, **options: Any) -> tuple[int, str]:
    url = served.url("/api/v1/write")
    async with served.client.post(url, data=body, headers=headers, skip_auto_headers=["Content-Type"], **options) as it:
        return it.status, await it.text()


async def test_samples_are_taken_and_rules_are_told(served: Served) -> None:
    assert await write(served, request(1, 2, 3)) == (204, "")
    assert served.view.store.sample_count == 3
    assert [frame.source for frame in served.view.arrived] == ["remote_write/j/"]


async def test_headers_may_be_missing_but_not_of_another_version(served: Served) -> None:
    assert (await write(served, request(1), {}))[0] == 204
    status, text = await write(
        served, request(1), {**HEADERS, "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
    )
    assert (status, "remote write 1.0" in text) == (415, True)
    assert (await write(served, request(1), {**HEADERS, "Content-Encoding": "lz4"}))[0] == 415


async def test_refused_samples_are_counted_in_the_answer(served: Served) -> None:
    await write(served, request(1, 2))
    status, text = await write(served, request(7))
    assert status == 400
    assert text == "refused 1 of 1 samples (1 out_of_order), took the others; do not send them again\n"


async def test_damaged_and_large_bodies_are_refused(served: Served) -> None:
    assert (await write(served, b"no snappy"))[0] == 400
    assert (await write(served, compress(b"\x0a\x7fcut off")))[0] == 400
    served.view.receiver.config = served.view.receiver.config.model_copy(update={"max_uncompressed_size": 10})
    status, text = await write(served, request(1))
    assert (status, "more than 10; send smaller requests" in text) == (413, True)
    served.view.receiver.config = served.view.receiver.config.model_copy(update={"max_body_size": 10})
    assert (await write(served, request(1)))[0] == 413
    assert served.view.store.sample_count == 0


async def test_a_body_larger_than_those_of_the_api_is_taken(serve: Serve) -> None:
    served = await serve()
    served.server._limits = replace(served.server._limits, body_bytes=10)
    assert (await write(served, request(*range(500))))[0] == 204


async def test_senders_must_sign_in_where_a_token_is_set(serve: Serve) -> None:
    served = await serve(token="a-long-enough-token-for-tests")
    assert (await write(served, request(1)))[0] == 401
    headers = {**HEADERS, "Authorization": encode_basic_auth("prometheus", "a-long-enough-token-for-tests")}
    assert (await write(served, request(1), headers))[0] == 204


async def test_another_site_cannot_send(served: Served) -> None:
    assert (await write(served, request(1), {**HEADERS, "Origin": "https://evil.example"}))[0] == 403


async def test_while_the_daemon_starts_senders_are_asked_to_come_again(served: Served) -> None:
    served.view.ready = False
    assert (await write(served, request(1)))[0] == 503


async def test_jobs_push_with_whatever_type_their_client_sends(served: Served) -> None:
    url = served.url("/metrics/job/backup/instance/db%201")
    async with served.client.put(url, data=b"a 1\n") as answer:
        assert answer.status == 200
    async with served.client.post(url, data=b"a 1\n", headers={"Content-Type": "text/plain"}) as answer:
        assert answer.status == 200
    async with served.client.delete(served.url("/metrics/job@base64/L3Zhci90bXA")) as answer:
        assert answer.status == 202
    source = "push/backup/instance=db%201"
    assert served.view.push.pushed == [(source, b"a 1\n", True), (source, b"a 1\n", False)]
    assert served.view.push.deleted == ["push/%2Fvar%2Ftmp"]


async def test_wrong_pushes_are_refused_in_words(served: Served) -> None:
    async with served.client.put(served.url("/metrics/job/backup/instance"), data=b"a 1\n") as answer:
        assert (answer.status, "label without a value" in await answer.text()) == (400, True)
    served.view.push.refusal = UserError("the body cannot be read: line 1; send it well")
    async with served.client.put(served.url("/metrics/job/backup"), data=b"a 1\n") as answer:
        assert (answer.status, await answer.text()) == (400, "the body cannot be read: line 1; send it well\n")
    served.view.push.refusal = StoreUnavailableError("the state database cannot be written: disk full")
    async with served.client.put(served.url("/metrics/job/backup"), data=b"a 1\n") as answer:
        assert answer.status == 503
    async with served.client.put(served.url("/metrics/job/backup"), data=b"a" * 100_001) as answer:
        assert answer.status == 413
    headers = {"Origin": "https://evil.example"}
    async with served.client.put(served.url("/metrics/job/x"), data=b"a 1\n", headers=headers) as answer:
        assert answer.status == 403
