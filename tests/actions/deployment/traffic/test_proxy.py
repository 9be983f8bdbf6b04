from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientPayloadError, ClientSession, TCPConnector, WSMsgType, WSServerHandshakeError, web

from actions.deployment.traffic.router import Backend
from tests.actions.deployment.traffic.peers import Peers, closed_address, connect, exchange


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    peers = Peers()
    yield peers
    await peers.close()


async def hello(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="hello")


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    head = f"{request.method} {request.raw_path}\n" + "".join(f"{k}: {v}\n" for k, v in request.headers.items())
    return web.Response(body=head.encode() + b"\n" + await request.read())


async def get(address: str, path: str = "/") -> tuple[int, str]:
    async with ClientSession() as session, session.get(f"http://{address}{path}") as response:
        return response.status, await response.text()


async def until(condition: object) -> None:
    async with asyncio.timeout(10):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_request_is_answered_by_a_backend_and_counted_under_its_revision(peers: Peers) -> None:
    router = await peers.router(await peers.backend(hello))
    assert await get(router) == (200, "hello")
    assert peers.tally.as_json()["requests"] == [{"revision": "r0", "code": 200, "count": 1}]
    assert peers.balancer.in_flight == {"b0": 0}


async def test_requests_of_one_connection_are_shared_by_weight(peers: Peers) -> None:
    async def other(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="other")

    first, second = await peers.backend(hello), await peers.backend(other)
    router = await peers.router()
    peers.route([Backend("a", first, 9, "r1"), Backend("b", second, 1, "r2")])
    seen: Counter[str] = Counter()
    async with ClientSession(connector=TCPConnector(limit=1)) as session:
        for _ in range(40):
            async with session.get(f"http://{router}/") as response:
                seen[await response.text()] += 1
    assert seen == {"hello": 36, "other": 4}


@pytest.mark.parametrize(
    "target", ["/", "//a//b", "/a/../b/./c", "/%41%2Fb?x=%20&y=+", "/a;b=c?d=[1]&e=%zz", "/caf%C3%A9?q='\"<>"]
)
async def test_target_reaches_the_backend_as_the_client_wrote_it(peers: Peers, target: str) -> None:
    router = await peers.router(await peers.backend(echo))
    request = f"GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
    answer = await exchange(router, request.encode())
    assert f"\r\n\r\nGET {target}\n" in answer.decode()


async def test_absolute_target_is_passed_on_as_a_path_and_an_asterisk_refused(peers: Peers) -> None:
    router = await peers.router(await peers.backend(echo))
    tail = b" HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
    assert b"\r\n\r\nGET /a?b=c\n" in await exchange(router, b"GET http://shop.example/a?b=c" + tail)
    assert (await exchange(router, b"OPTIONS *" + tail)).startswith(b"HTTP/1.1 400 ")


async def test_host_is_kept_and_forwarded_headers_are_added_and_no_other(peers: Peers) -> None:
    router = await peers.router(await peers.backend(echo))
    request = b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\nTE: x\r\n\r\n"
    answer = (await exchange(router, request)).decode()
    seen = dict(line.split(": ", 1) for line in answer.partition("GET /\n")[2].strip().splitlines())
    assert seen == {
        "Host": "shop.example", "X-Forwarded-For": "9.9.9.9, 127.0.0.1", "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "shop.example",
    }  # fmt: skip


async def test_head_of_the_answer_is_the_backends_alone(peers: Peers) -> None:
    async def bare(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 201 Made It\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Encoding: gzip\r\n"
            b"Keep-Alive: timeout=5\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00"
        )
        await writer.drain()

    router = await peers.router(await peers.raw_backend(bare))
    answer = await exchange(router, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer == (
        b"HTTP/1.1 201 Made It\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Encoding: gzip\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\n\x1f\x8b\x00"
    )


@pytest.mark.parametrize(
    ("method", "head", "expected"),
    [
        ("HEAD", "200 OK\r\nContent-Length: 5", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"),
        ("GET", "304 Not Modified\r\nEtag: x", b"HTTP/1.1 304 Not Modified\r\nEtag: x\r\n"),
        ("GET", "204 No Content", b"HTTP/1.1 204 No Content\r\n"),
    ],
)
async def test_answers_without_a_body_stay_without_one(peers: Peers, method: str, head: str, expected: bytes) -> None:
    async def bodiless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {head}\r\n\r\n".encode())
        await writer.drain()

    router = await peers.router(await peers.raw_backend(bodiless))
    answer = await exchange(router, f"{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer == expected + b"Connection: close\r\n\r\n"


async def test_http_1_0_client_gets_an_unframed_body_and_a_closed_connection(peers: Peers) -> None:
    async def chunked(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=_pieces())

    async def _pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    router = await peers.router(await peers.backend(chunked))
    answer = await exchange(router, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"chunked" not in answer
    assert answer.endswith(b"\r\n\r\nonetwo")


@pytest.mark.parametrize("chunked", [False, True])
async def test_request_bodies_reach_the_backend_whole(peers: Peers, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"0123456789" * 1000

    router = await peers.router(await peers.backend(echo))
    body = b"0123456789" * 50_000
    async with (
        ClientSession() as session,
        session.post(f"http://{router}/", data=pieces() if chunked else body) as response,
    ):
        head, _, received = (await response.read()).partition(b"\n\n")
    assert received == body
    assert (b"Transfer-Encoding: chunked" in head) is chunked
    assert (b"Content-Length: 500000" in head) is not chunked


async def test_bodies_are_streamed_both_ways_and_never_held_back(peers: Peers) -> None:
    async def mirror(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)
        return response

    router = await peers.router(await peers.backend(mirror))
    reader, writer = await connect(router)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    async with asyncio.timeout(10):
        await reader.readuntil(b"\r\n\r\n3\r\none\r\n")
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        await reader.readuntil(b"3\r\ntwo\r\n0\r\n\r\n")
    writer.close()


async def test_client_that_expects_it_is_told_to_continue(peers: Peers) -> None:
    router = await peers.router(await peers.backend(echo))
    reader, writer = await connect(router)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
    )
    async with asyncio.timeout(10):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        answer = await reader.read(-1)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\n\nbody")
    assert b"Expect" not in answer


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_backend_that_refuses_connections_is_skipped_without_a_failure(peers: Peers, method: str) -> None:
    router = await peers.router(closed_address(), await peers.backend(echo))
    async with ClientSession() as session:
        for _ in range(6):
            async with session.request(method, f"http://{router}/", data=b"x") as response:
                assert response.status == 200
                assert (await response.read()).endswith(b"\n\nx")
    assert peers.codes() == {200: 6}


async def test_request_that_may_have_arrived_is_not_sent_again(peers: Peers) -> None:
    arrived: list[bytes] = []

    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.append(await reader.readuntil(b"\r\n\r\n"))

    router = await peers.router(await peers.raw_backend(dies))
    async with ClientSession() as session, session.post(f"http://{router}/", data=b"pay") as response:
        assert (response.status, await response.text()) == (502, "502 the instance broke off before it answered\n")
    assert len(arrived) == 1


async def test_no_reachable_backend_gives_502_and_no_backend_503(peers: Peers) -> None:
    router = await peers.router(closed_address())
    assert await get(router) == (502, "502 no instance could be reached\n")
    for backends in ([], [Backend("a", closed_address(), 0, "r1")]):
        peers.route(backends)
        async with ClientSession() as session, session.get(f"http://{router}/") as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "1"
            assert await response.text() == "503 no instance takes requests now\n"
    assert peers.codes() == {502: 1, 503: 2}


async def test_backend_that_never_answers_gives_504(peers: Peers) -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    router = await peers.router(await peers.raw_backend(silent), response_seconds=0.05)
    assert await get(router) == (504, "504 the instance did not answer within 0.05 s\n")


async def test_time_to_answer_counts_from_the_last_piece_of_the_request(peers: Peers) -> None:
    async def slow_upload() -> AsyncIterator[bytes]:
        for _ in range(6):
            await asyncio.sleep(0.05)
            yield b"x"

    router = await peers.router(await peers.backend(echo), response_seconds=0.2)
    async with ClientSession() as session, session.post(f"http://{router}/", data=slow_upload()) as response:
        assert response.status == 200


async def test_half_an_answer_is_not_passed_off_as_a_whole_one(peers: Peers) -> None:
    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()

    router = await peers.router(await peers.raw_backend(breaks_off))
    async with ClientSession() as session, session.get(f"http://{router}/") as response:
        with pytest.raises(ClientPayloadError):
            await response.read()
    assert peers.codes() == {502: 1}


async def test_client_that_goes_away_frees_the_backend(peers: Peers) -> None:
    freed = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(-1)
        freed.set()

    router = await peers.router(await peers.raw_backend(waits))
    _, writer = await connect(router)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: peers.balancer.in_flight == {"b0": 1})
    writer.close()
    await asyncio.wait_for(freed.wait(), 10)
    await until(lambda: peers.balancer.in_flight == {"b0": 0})
    assert peers.codes() == {499: 1}


async def test_removed_backend_finishes_what_it_began_and_gets_nothing_new(peers: Peers) -> None:
    go_on = asyncio.Event()

    async def slow(_: web.BaseRequest) -> web.StreamResponse:
        await go_on.wait()
        return web.Response(text="slow")

    router = await peers.router(await peers.backend(slow))
    first = asyncio.create_task(get(router))
    await until(lambda: peers.balancer.in_flight == {"b0": 1})
    peers.route([Backend("new", await peers.backend(hello), 1, "r2")])
    assert await get(router) == (200, "hello")
    assert peers.balancer.in_flight == {"b0": 1, "new": 0}
    go_on.set()
    assert await first == (200, "slow")
    assert peers.balancer.in_flight == {"new": 0}


async def test_no_request_fails_while_weights_change_under_load(peers: Peers) -> None:
    one, two = await peers.backend(hello), await peers.backend(echo)
    router = await peers.router(one)
    failures: list[int] = []

    async def client(session: ClientSession) -> None:
        for number in range(25):
            method = "POST" if number % 3 == 0 else "GET"
            async with session.request(method, f"http://{router}/", data=b"x" if method == "POST" else None) as answer:
                await answer.read()
                if answer.status != 200:
                    failures.append(answer.status)

    async def change() -> None:
        for turn in range(40):
            both = [Backend("one", one, turn % 3, "r1"), Backend("two", two, 2 - turn % 3, "r2")]
            peers.route(both if turn % 2 else both[1:] if turn % 3 != 2 else both[:1])
            await asyncio.sleep(0.005)

    async with ClientSession() as session:
        await asyncio.gather(change(), *(client(session) for _ in range(12)))
    assert failures == []
    assert peers.codes() == {200: 300}


async def chat(request: web.BaseRequest) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=["v2", "v1"])
    await socket.prepare(request)
    async for message in socket:
        if message.data == "bye":
            await socket.close(code=4001)
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(f"{request.raw_path} {message.data}")
        else:
            await socket.send_bytes(message.data)
    return socket


async def test_websocket_is_passed_through_with_subprotocol_and_close_code(peers: Peers) -> None:
    router = await peers.router(await peers.backend(chat))
    async with (
        ClientSession() as session,
        session.ws_connect(f"http://{router}/chat?a=b", protocols=["v1", "v9"]) as socket,
    ):
        assert socket.protocol == "v1"
        await socket.send_str("hi")
        assert await socket.receive_str() == "/chat?a=b hi"
        await socket.send_bytes(b"\0" * 300_000)
        assert await socket.receive_bytes() == b"\0" * 300_000
        assert peers.balancer.in_flight == {"b0": 1}
        await socket.send_str("bye")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 4001
    await until(lambda: peers.balancer.in_flight == {"b0": 0})
    assert peers.codes() == {101: 1}


async def test_websocket_client_that_vanishes_ends_the_backends_side(peers: Peers) -> None:
    router = await peers.router(await peers.backend(chat))
    async with ClientSession() as session:
        socket = await session.ws_connect(f"http://{router}/")
        await socket.send_str("hi")
        await socket.receive_str()
    await until(lambda: peers.balancer.in_flight == {"b0": 0})


async def test_refused_websocket_gives_the_backends_status(peers: Peers) -> None:
    async def refuses(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=403)

    router = await peers.router(await peers.backend(refuses))
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError, match="403"):
            await session.ws_connect(f"http://{router}/")
    assert peers.codes() == {403: 1}
