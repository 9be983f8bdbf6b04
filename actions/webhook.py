"""Webhook: POST a JSON document about the operation to a URL, with an idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from actions.action import ActionContext, Ending, Order, Plan, PlannedStep, Step
from core.config import Duration, Section
from core.errors import PermanentError, TransientError

_ANSWER_BYTES = 2000


class WebhookParameters(Section):
    """Where to, and what besides the operation itself."""

    url: str = Field(description="http or https address.", examples=["https://hooks.example.com/restart"])
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to add.", examples=[{"X-Team": "shop"}])
    body: dict[str, Any] = Field(
        default_factory=dict, description="Keys to add to the document.", examples=[{"command": "restart"}]
    )
    timeout: Duration = Field(default=10.0, gt=0, le=300, description="The most a call may take.", examples=["10s"])

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is no address; write one such as https://hooks.example.com/restart")
        return value


class WebhookAction:
    """One call; an answer of 5xx, 408 or 429 and a broken connection are tried again with the same key."""

    parameters_type: ClassVar[type[Section]] = WebhookParameters
    needs_service: ClassVar[bool] = False
    exclusive: ClassVar[bool] = False

    async def check(self, order: Order, context: ActionContext) -> None:
        """Nothing but the parameters can be wrong with it."""
        del order, context

    async def plan(self, order: Order, context: ActionContext) -> Plan:
        """Return the one step."""
        del context
        return Plan((PlannedStep("post"),), {"url": str(order.parameters["url"])})

    def step(self, step: PlannedStep, order: Order, context: ActionContext) -> Step:
        """Return what sends."""
        del step, context
        return _Post(order)

    async def settle(
        self, done: Sequence[PlannedStep], ending: Ending, order: Order, context: ActionContext
    ) -> Sequence[PlannedStep]:
        """Nothing: what was sent cannot be taken back."""
        del done, ending, order, context
        return ()


class _Post:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._parameters = WebhookParameters.model_validate(dict(order.parameters))

    async def observe(self) -> str | None:
        """Whether it arrived is not to be seen from here: the key lets the receiver tell a repetition."""
        return None

    async def make_it_so(self) -> str:
        """Send once."""
        import aiohttp  # noqa: PLC0415 - only who sends pays for it

        parameters, order = self._parameters, self._order
        headers = {**parameters.headers, "Idempotency-Key": f"watchkeeper-{order.id}-{order.created_at:.6f}"}
        timeout = aiohttp.ClientTimeout(total=parameters.timeout)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(parameters.url, json=self._document(), headers=headers) as response,
            ):
                answer = (await response.content.read(_ANSWER_BYTES)).decode(errors="replace").strip()
                status = response.status
        except TimeoutError:
            raise TransientError(f"{parameters.url} did not answer within {parameters.timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise TransientError(f"{parameters.url}: {error or type(error).__name__}") from error
        return _judge(parameters.url, status, " ".join(answer.split())[:200])

    def _document(self) -> dict[str, Any]:
        order = self._order
        return {
            **self._parameters.body,
            "operation": order.id,
            "service": order.service,
            "environment": order.environment,
            "requested_by": order.requested_by,
            "reason": order.reason,
            "created_at": order.created_at,
        }


def _judge(url: str, status: int, answer: str) -> str:
    if 200 <= status < 300:
        return f"{url} answered {status}"
    message = f"{url} answered {status}" + (f": {answer}" if answer else "")
    if status >= 500 or status in (408, 429):
        raise TransientError(message)
    raise PermanentError(message)
