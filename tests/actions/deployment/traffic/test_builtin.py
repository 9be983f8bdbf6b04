from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from actions.deployment.health_check import TcpCheck, wait_healthy
from actions.deployment.instances import proc
from actions.deployment.instances.process import ProcessRuntime
from actions.deployment.instances.runtime import InstanceSpec
from actions.deployment.traffic import control_client
from actions.deployment.traffic.builtin import BuiltinRouter
from actions.deployment.traffic.router import Backend, Traffic
from core.clock import SystemClock
from core.errors import PermanentError
from tests.actions.deployment.traffic.peers import Peers, closed_address

pytestmark = pytest.mark.slow

NAME = "shop/production"
STARTER = """
import asyncio, sys
from pathlib import Path
from actions.deployment.traffic.builtin import BuiltinRouter
from actions.deployment.traffic.router import Backend
from core.clock import SystemClock

async def main(state, listen, address):
    router = BuiltinRouter("shop/production", listen, state, SystemClock())
    await router.ensure([Backend("a", address, 1, "r1")])
    print("ready", flush=True)
    await asyncio.sleep(300)

asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    peers = Peers()
    yield peers
    await peers.close()


@pytest.fixture
def listen() -> str:
    return free_address()


@pytest.fixture
async def router(tmp_path: Path, listen: str) -> AsyncIterator[BuiltinRouter]:
    router = BuiltinRouter(NAME, listen, tmp_path, SystemClock())
    yield router
    await router.ensure_stopped()


async def hello(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="hello")


async def get(address: str) -> tuple[int, str]:
    async with ClientSession() as session, session.get(f"http://{address}/") as response:
        return response.status, await response.text()


async def pid_of(state_directory: Path) -> int:
    state = await control_client.call(state_directory / "routers" / "shop%2Fproduction.sock", "GET", "/state")
    assert state is not None
    return int(state["pid"])


def is_alive(pid: int) -> bool:
    found = proc.process(pid)
    return found is not None and not found.is_dead


async def until(condition: object) -> None:
    async with asyncio.timeout(10):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_router_is_started_once_told_its_backends_and_stopped(
    router: BuiltinRouter, peers: Peers, tmp_path: Path, listen: str
) -> None:
    assert await router.observe() is None
    assert await router.readings_json() is None
    backends = (Backend("a", await peers.backend(hello), 3, "r1"),)
    await asyncio.gather(router.ensure(backends), router.ensure(backends))
    pid = await pid_of(tmp_path)
    assert await router.observe() == Traffic(listen, backends, {"a": 0})
    assert await get(listen) == (200, "hello")
    await router.ensure([])
    assert await get(listen) == (503, "503 no instance takes requests now\n")
    assert await pid_of(tmp_path) == pid
    readings = await router.readings_json()
    assert readings is not None
    assert readings["requests"] == [
        {"revision": "", "code": 503, "count": 1}, {"revision": "r1", "code": 200, "count": 1},
    ]  # fmt: skip
    assert abs(readings["started_at"] - time.time()) < 60
    await router.ensure_stopped()
    await router.ensure_stopped()
    assert proc.process(pid) is None
    assert await router.observe() is None


async def test_control_socket_is_for_its_owner_alone(router: BuiltinRouter, tmp_path: Path) -> None:
    await router.ensure([])
    path = tmp_path / "routers" / "shop%2Fproduction.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(PermanentError, match=r"refused PUT /backends: backends: expected"):
        await control_client.call(path, "PUT", "/backends", b"{}")
    with pytest.raises(PermanentError, match="refused GET /nothing: there is no GET /nothing"):
        await control_client.call(path, "GET", "/nothing")


async def test_router_outlives_kill_9_of_the_daemon_and_is_adopted(
    router: BuiltinRouter, peers: Peers, tmp_path: Path, listen: str
) -> None:
    address = await peers.backend(hello)
    command = [sys.executable, "-c", STARTER, str(tmp_path), listen, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        assert await asyncio.to_thread(starter.stdout.readline) == "ready\n"
        starter.kill()
    assert await get(listen) == (200, "hello")
    pid = await pid_of(tmp_path)
    await router.ensure([Backend("b", address, 1, "r2")])
    assert await pid_of(tmp_path) == pid


async def test_router_that_was_killed_serves_the_same_again(
    router: BuiltinRouter, peers: Peers, tmp_path: Path, listen: str
) -> None:
    backends = (Backend("a", await peers.backend(hello), 3, "r1"), Backend("b", closed_address(), 0, "r2"))
    await router.ensure(backends)
    pid = await pid_of(tmp_path)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not is_alive(pid))
    assert await router.observe() is None
    again = await _start_without_telling(router, tmp_path)
    assert again == backends
    assert await get(listen) == (200, "hello")


async def _start_without_telling(router: BuiltinRouter, state_directory: Path) -> tuple[Backend, ...]:
    saved = json.loads((state_directory / "routers" / "shop%2Fproduction.json").read_bytes())
    await router._start()
    traffic = await router.observe()
    assert traffic is not None
    assert len(saved["backends"]) == len(traffic.backends)
    return traffic.backends


async def test_router_that_hangs_is_replaced_when_it_is_stopped(router: BuiltinRouter, tmp_path: Path) -> None:
    await router.ensure([])
    pid = await pid_of(tmp_path)
    os.kill(pid, signal.SIGSTOP)
    await router.ensure_stopped()
    assert not is_alive(pid)
    await router.ensure([])
    assert await pid_of(tmp_path) != pid


async def test_taken_port_is_named_with_its_holder(router: BuiltinRouter, listen: str) -> None:
    host, _, port = listen.rpartition(":")
    with socket.create_server((host, int(port))):
        with pytest.raises(PermanentError, match=rf"router {NAME}: cannot listen on {listen}: the port is in use by"):
            await router.ensure([])
        with pytest.raises(PermanentError, match=rf"process {os.getpid()} \(.*; end that process or choose another"):
            await router.ensure([])
    await router.ensure([])
    assert await router.observe() is not None


async def test_second_router_of_a_name_does_not_take_over(router: BuiltinRouter, tmp_path: Path) -> None:
    await router.ensure([])
    command = [
        sys.executable, "-m", "actions.deployment.traffic.router_process", "--state", str(tmp_path), "--name", NAME,
        "--listen", free_address(),
    ]  # fmt: skip
    second = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert second.returncode == 3
    assert second.stderr.startswith("a router holds ")
    assert len(second.stderr.splitlines()) == 1
    assert await router.observe() is not None


async def test_changed_address_moves_the_router_and_keeps_its_backends(
    router: BuiltinRouter, peers: Peers, tmp_path: Path, listen: str
) -> None:
    backends = [Backend("a", await peers.backend(hello), 1, "r1")]
    await router.ensure(backends)
    other = free_address()
    await BuiltinRouter(NAME, other, tmp_path, SystemClock()).ensure(backends)
    assert await get(other) == (200, "hello")
    with socket.create_server(("127.0.0.1", int(listen.rpartition(":")[2]))):
        pass


async def test_stop_lets_requests_under_way_finish(router: BuiltinRouter, peers: Peers, listen: str) -> None:
    arrived = asyncio.Event()

    async def slow(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(0.5)
        return web.Response(text="slow")

    await router.ensure([Backend("a", await peers.backend(slow), 1, "r1")])
    request = asyncio.create_task(get(listen))
    await arrived.wait()
    await router.ensure_stopped()
    assert await request == (200, "slow")


async def test_drain_waits_for_requests_under_way_and_says_whether_they_ended(
    router: BuiltinRouter, peers: Peers, listen: str
) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.Response(text="slow")

    assert await router.drain(["a"], timeout_seconds=0)
    await router.ensure([Backend("a", await peers.backend(slow), 1, "r1")])
    request = asyncio.create_task(get(listen))
    await arrived.wait()
    await router.ensure([])
    assert not await router.drain(["a"], timeout_seconds=0.1)
    drained = asyncio.create_task(router.drain(["a"], timeout_seconds=10))
    go_on.set()
    assert await drained
    assert await request == (200, "slow")


async def test_no_request_fails_while_weights_flip_and_backends_come_and_go(
    router: BuiltinRouter, peers: Peers, listen: str
) -> None:
    addresses = [await peers.backend(hello) for _ in range(3)]
    one, two, three = (Backend(f"b{n}", address, 1, f"r{n}") for n, address in enumerate(addresses))
    await router.ensure([one])
    codes: list[int] = []
    flipping = asyncio.Event()

    async def client(session: ClientSession) -> None:
        while not flipping.is_set() or len(codes) < 600:
            data = b"x" if len(codes) % 4 == 0 else None
            async with session.request("POST" if data else "GET", f"http://{listen}/", data=data) as response:
                await response.read()
                codes.append(response.status)

    async def flip() -> None:
        for turn in range(24):
            await router.ensure([[one, two], [two], [two, three], [three, one]][turn % 4])
            if turn % 4 == 1:
                assert await router.drain(["b0"], timeout_seconds=5)
        flipping.set()

    async with ClientSession() as session:
        await asyncio.gather(flip(), *(client(session) for _ in range(8)))
    assert len(codes) >= 600
    assert set(codes) == {200}


async def test_idle_router_is_small(router: BuiltinRouter, tmp_path: Path) -> None:
    await router.ensure([])
    status = Path(f"/proc/{await pid_of(tmp_path)}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0])
    assert resident < 45 * 1024


SERVER = """
import asyncio, signal, sys
from aiohttp import web

async def answer(request):
    await request.read()
    return web.Response(text=sys.argv[1])

async def main():
    server = web.Server(answer)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", int(sys.argv[2]))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    listener.close()

asyncio.run(main())
"""


async def test_switching_between_real_instances_under_load_loses_no_request(
    router: BuiltinRouter, tmp_path: Path, listen: str
) -> None:
    runtime = ProcessRuntime(tmp_path, SystemClock())
    codes: list[int] = []
    versions: set[str] = set()
    done = asyncio.Event()

    async def client(session: ClientSession) -> None:
        while not done.is_set():
            method = "POST" if len(codes) % 3 == 0 else "GET"
            async with session.request(method, f"http://{listen}/", data=b"x" if method == "POST" else None) as answer:
                versions.add(await answer.text())
                codes.append(answer.status)

    async def start(number: int) -> Backend:
        address = free_address()
        port = int(address.rpartition(":")[2])
        argv = (sys.executable, "-c", SERVER, f"v{number}", str(port))
        spec = InstanceSpec(f"{NAME}/r{number}/0", argv, tmp_path, {}, None, port, tmp_path / "log" / f"{number}.log")
        await runtime.ensure_running(spec)
        await wait_healthy(
            TcpCheck("127.0.0.1", port), clock=SystemClock(), interval_seconds=0.05, successes=1, deadline_seconds=20,
            ended=lambda: runtime.ended(spec.id),
        )  # fmt: skip
        return Backend(spec.id, address, 1, f"v{number}")

    async def deploy_again_and_again() -> None:
        old = first
        for number in range(1, 6):
            new = await start(number)
            for weight in (1, 5, 10):
                await router.ensure([replace(old, weight=10 - weight), replace(new, weight=weight)])
            assert await router.drain([old.id], timeout_seconds=5)
            await router.ensure([new])
            await runtime.ensure_stopped(old.id, grace_seconds=5)
            old = new
        done.set()

    try:
        first = await start(0)
        await router.ensure([first])
        async with ClientSession() as session:
            await asyncio.gather(deploy_again_and_again(), *(client(session) for _ in range(6)))
    finally:
        for state in await runtime.find(""):
            await runtime.ensure_stopped(state.id, grace_seconds=0)
    assert set(codes) == {200}
    assert len(codes) >= 500
    assert versions == {f"v{number}" for number in range(6)}
