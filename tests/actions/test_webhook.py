from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from actions.action import ActionContext, Order, PlannedStep
from actions.webhook import WebhookAction
from core.errors import PermanentError, TransientError
from tests.fakes.clock import FakeClock


class Receiver:
    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.json()))
        return web.Response(status=self.status, text="as you say")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"{site.name}/hook"  # type: ignore[attr-defined]
    yield receiver
    await runner.cleanup()


async def _post(url: str, **parameters: Any) -> str:
    order = Order("7", "shop", "production", {"url": url, **parameters}, "policy/p", "why", 1.5, automatic=True)
    step = WebhookAction().step(PlannedStep("post"), order, ActionContext(FakeClock(), Path("/")))
    assert await step.observe() is None
    return await step.make_it_so()


async def test_document_tells_of_the_operation_and_carries_a_steady_key(receiver: Any) -> None:
    for _ in range(2):
        await _post(receiver.url, headers={"X-Team": "shop"}, body={"command": "restart"})
    (headers, body), (again, _) = receiver.got
    assert body == {
        "command": "restart", "operation": "7", "service": "shop", "environment": "production",
        "requested_by": "policy/p", "reason": "why", "created_at": 1.5,
    }  # fmt: skip
    assert headers["X-Team"] == "shop"
    assert headers["Idempotency-Key"] == again["Idempotency-Key"] == "watchkeeper-7-1.500000"


@pytest.mark.parametrize(
    ("status", "error"), [(500, TransientError), (429, TransientError), (408, TransientError), (404, PermanentError)]
)
async def test_refusal_is_told_and_tried_again_only_where_that_helps(
    receiver: Any, status: int, error: type[Exception]
) -> None:
    receiver.status = status
    with pytest.raises(error, match=f"/hook answered {status}: as you say"):
        await _post(receiver.url)


async def test_nobody_there_is_a_passing_failure() -> None:
    with pytest.raises(TransientError, match=r"http://127\.0\.0\.1:9/"):
        await _post("http://127.0.0.1:9/")
