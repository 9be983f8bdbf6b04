"""What every installed action keeps, ours and other people's."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from actions.action import ActionContext, Ending, Order, Plan, PlannedStep, action_kinds, check_parameters, load_action
from core.config import Section
from core.errors import UserError
from tests.actions.harness import Harness
from tests.fakes.clock import FakeClock

PARAMETERS: dict[str, dict[str, Any]] = {
    "deploy": {"artifact": "/srv/shop.tar.gz"},
    "webhook": {"url": "http://127.0.0.1:9/"},
    "command": {"argv": ["true"]},
}


def order(kind: str) -> Order:
    return Order("1", "shop", "production", PARAMETERS.get(kind, {}), "ann", "test", 0.0, automatic=False)


@pytest.fixture(params=action_kinds())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_parameters_are_described_and_refuse_unknown_keys(kind: str) -> None:
    parameters = load_action(kind).parameters_type
    assert issubclass(parameters, Section)
    for name, field in parameters.model_fields.items():
        assert field.description, name
        assert field.examples, name
    with pytest.raises(UserError, match="nonsense: Extra inputs are not permitted"):
        check_parameters(kind, {**PARAMETERS.get(kind, {}), "nonsense": 1}, kind)


def test_contract_is_complete(kind: str) -> None:
    action = load_action(kind)
    assert type(action).__doc__
    assert isinstance(action.needs_service, bool)
    assert isinstance(action.exclusive, bool)
    for name in ("check", "plan", "settle"):
        assert inspect.iscoroutinefunction(getattr(action, name)), name
    assert callable(action.step)


async def test_plan_is_plain_data_with_named_steps_that_exist(kind: str, harness: Harness) -> None:
    action = load_action(kind)
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    site = harness.actions._sites.site("shop", "production") if action.needs_service else None
    context = ActionContext(harness.clock, Path("/"), site)
    plan = await action.plan(order(kind), context)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    names = [step.name for step in plan.steps]
    assert len(set(names)) == len(names)
    for step in plan.steps:
        made = action.step(step, order(kind), context)
        assert inspect.iscoroutinefunction(made.observe)
        assert inspect.iscoroutinefunction(made.make_it_so)
    assert all(isinstance(s, PlannedStep) for s in await action.settle(plan.steps, Ending.FAILED, order(kind), context))


async def test_planning_twice_gives_the_same_plan(kind: str, harness: Harness) -> None:
    action = load_action(kind)
    await harness.promoted("1.0")
    await harness.deployed("1.1")
    site = harness.actions._sites.site("shop", "production") if action.needs_service else None
    context = ActionContext(harness.clock, Path("/"), site)
    assert await action.plan(order(kind), context) == await action.plan(order(kind), context)


def test_action_that_needs_a_service_says_so_without_one(kind: str) -> None:
    action = load_action(kind)
    if action.needs_service:
        with pytest.raises(Exception, match="names no configured service"):
            ActionContext(FakeClock(), Path("/")).need_site()
