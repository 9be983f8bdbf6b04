"""What depends on something that is down is not told: whatever came first, through others too, and only then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from alerting.alert import Alert, AlertState, Transition
from alerting.quality.dependency import Dependencies
from alerting.quality.dependency_config import DependencySection, all_needs
from core.config import validate
from core.errors import ConfigError
from core.tasks import Tasks
from core.yaml_file import parse_yaml
from tests.alerting.house import House, config_of, house
from tests.alerting.makers import alert, ended
from tests.alerting.receiver import Receiver, receiving
from tests.fakes.clock import FakeClock, settle

SHOP = """
dependencies:
  - {name: shop, depends_on: [auth], wait: 10s}
  - {name: auth, depends_on: ["db:5432"], wait: 10s}
groups:
  - name: g
    rules:
      - {alert: ShopDown, expr: shop == 0, labels: {severity: critical, service: shop}}
      - {alert: AuthDown, expr: auth == 0, labels: {severity: critical, service: auth}}
"""


class Desk:
    """Dependencies of a shop, as a table says them."""

    def __init__(self, waits: dict[str, float] | None = None, firing: Sequence[Alert] = ()) -> None:
        waits = waits or {"shop": 0.0, "auth": 0.0}
        needs = {"shop": ["auth"], "auth": ["db:5432"]}
        sections = [DependencySection(name=name, depends_on=needs[name], wait=wait) for name, wait in waits.items()]
        self.clock = FakeClock()
        self.waited: list[str] = []
        self.dependencies = Dependencies(sections, firing, self.clock, Tasks(self.clock), self.waited.extend)

    def fire(self, one: Alert) -> Alert:
        self.dependencies.update([(Transition.FIRING, one)])
        return one

    def why(self, one: Alert) -> tuple[str, ...]:
        return self.dependencies.mutes(one, self.clock.now())


def critical(service: str, **labels: str) -> Alert:
    every = {"service": service, "severity": "critical", **labels}
    return alert(f"{service}Down", at=100.0, **every)


SHOP_DOWN = critical("shop")
DATABASE_DOWN = alert("DatabaseDown", instance="db:5432", job="postgres", severity="critical")


def test_an_alert_is_held_while_what_it_needs_through_others_is_down() -> None:
    desk = Desk()
    assert desk.why(SHOP_DOWN) == ()
    desk.fire(DATABASE_DOWN)
    assert desk.why(SHOP_DOWN) == ("depends on db:5432",)
    desk.fire(critical("auth"))
    assert desk.why(SHOP_DOWN) == ("depends on auth", "depends on db:5432")
    assert desk.why(DATABASE_DOWN) == ()
    assert desk.dependencies.update([(Transition.RESOLVED, ended(DATABASE_DOWN))]) is True
    assert desk.why(SHOP_DOWN) == ("depends on auth",)


def test_a_cause_that_is_still_pending_holds_too_until_it_goes_away() -> None:
    desk = Desk()
    pending = replace(DATABASE_DOWN, state=AlertState.PENDING, fired_at=None)
    assert desk.dependencies.update([(Transition.PENDING, pending)]) is False
    assert desk.why(SHOP_DOWN) == ("depends on db:5432",)
    assert desk.dependencies.update([(Transition.INACTIVE, pending)]) is True
    assert desk.why(SHOP_DOWN) == ()


def test_what_fired_before_a_restart_or_reload_holds() -> None:
    assert Desk(firing=[DATABASE_DOWN]).why(SHOP_DOWN) == ("depends on db:5432",)


def test_the_end_of_an_alert_is_told_whatever_is_down() -> None:
    desk = Desk(firing=[DATABASE_DOWN])
    assert desk.why(ended(SHOP_DOWN)) == ()


@pytest.mark.parametrize(
    ("cause", "held", "is_held"),
    [
        ("critical", "critical", True),
        ("critical", "low", True),
        ("high", "high", True),
        ("high", "critical", False),
        ("medium", "medium", False),
        ("low", "low", False),
    ],
)
def test_only_real_trouble_no_milder_than_the_alert_explains_it(cause: str, held: str, is_held: bool) -> None:
    desk = Desk(firing=[critical("auth", severity=cause)])
    assert bool(desk.why(critical("shop", severity=held))) is is_held


def test_staging_does_not_explain_production_but_what_names_no_environment_explains_both() -> None:
    desk = Desk(firing=[critical("auth", environment="staging")])
    assert desk.why(critical("shop", environment="production")) == ()
    assert desk.why(critical("shop", environment="staging")) == ("depends on auth",)
    assert desk.why(SHOP_DOWN) == ("depends on auth",)
    assert Desk(firing=[critical("auth")]).why(critical("shop", environment="production")) == ("depends on auth",)


async def test_a_young_alert_waits_for_its_cause_each_as_long_as_its_own_wait() -> None:
    desk = Desk({"shop": 30.0, "auth": 10.0})
    now = desk.clock.now()
    shop = desk.fire(alert("ShopDown", at=now, service="shop", severity="critical"))
    await settle()
    auth = desk.fire(alert("AuthSlow", at=now, service="auth", severity="low"))
    assert desk.why(shop) == desk.why(auth) == ("waits for what it depends on",)
    await desk.clock.advance(10)
    assert (desk.why(shop), desk.why(auth)) == (("waits for what it depends on",), ())
    assert desk.waited == [auth.identity]
    await desk.clock.advance(20)
    assert desk.why(shop) == ()
    assert desk.waited == [auth.identity, shop.identity]
    await desk.dependencies.stop()


def test_a_circle_and_a_name_given_twice_are_mistakes_of_the_config() -> None:
    def refused(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            config_of(text)
        return str(caught.value)

    circle = "dependencies: [{name: a, depends_on: [b]}, {name: b, depends_on: [c]}, {name: c, depends_on: [a]}]"
    assert "'a' depends on itself, perhaps through others" in refused(circle)
    assert "'a' is given twice" in refused("dependencies: [{name: a, depends_on: [b]}, {name: a, depends_on: [c]}]")
    section = validate(parse_yaml("{name: a, depends_on: [b, c]}", "x.yml"), DependencySection)
    assert all_needs([section]) == {"a": {"b", "c"}}


def whole(receiver: Receiver, extra: str = "") -> str:
    return f"{SHOP}{extra}receivers: [{{name: team, webhook_configs: [{{url: '{receiver.url}'}}]}}]\n"


async def collect(here: House, shop: int, auth: int) -> None:
    await here.clock.advance(1)
    here.feed(shop=shop, auth=auth)
    await here.clock.advance(0.05)
    await here.told()


async def test_whoever_fires_first_only_the_cause_is_told_and_all_is_one_incident(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(whole(receiver))) as here:
        await collect(here, shop=0, auth=1)
        await collect(here, shop=0, auth=0)
        await here.clock.advance(11)
        assert (await receiver.next()).summary == "firing: firing AuthDown"
        statuses = here.alerting.pipeline.statuses().values()
        assert sorted(status.muted_by for status in statuses) == [(), ("depends on auth",)]
        assert len(here.alerting.open_incidents()) == 1
        await collect(here, shop=0, auth=1)
        summaries = [(await receiver.next()).summary for _ in range(2)]
        assert sorted(summaries) == ["firing: firing ShopDown", "resolved: resolved AuthDown"]


async def test_an_alert_without_a_cause_is_told_when_it_has_waited_not_a_group_interval_later(tmp_path: Path) -> None:
    route = "route: {receiver: team, group_wait: 1s, group_interval: 1h}\n"
    async with receiving() as receiver, house(tmp_path, config_of(whole(receiver, route))) as here:
        await collect(here, shop=0, auth=1)
        await here.clock.advance(5)
        assert receiver.got == []
        await here.clock.advance(6)
        assert (await receiver.next()).summary == "firing: firing ShopDown"


async def test_what_was_held_is_still_held_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    async with receiving() as receiver:
        async with house(tmp_path, config_of(whole(receiver)), clock=clock) as here:
            await collect(here, shop=0, auth=0)
            await here.clock.advance(11)
            assert (await receiver.next()).summary == "firing: firing AuthDown"
            await here.told()
        async with house(tmp_path, config_of(whole(receiver)), clock=clock) as here:
            await collect(here, shop=0, auth=0)
            await here.clock.advance(30)
            await here.told()
            assert len(receiver.got) == 1
            statuses = here.alerting.pipeline.statuses().values()
            assert sorted(status.muted_by for status in statuses) == [(), ("depends on auth",)]


async def test_a_config_without_dependencies_lets_go_of_what_was_held(tmp_path: Path) -> None:
    async with receiving() as receiver, house(tmp_path, config_of(whole(receiver))) as here:
        await collect(here, shop=0, auth=0)
        await here.clock.advance(11)
        assert (await receiver.next()).summary == "firing: firing AuthDown"
        text = whole(receiver)
        await here.alerting.apply(config_of(text[text.index("groups:") :]), base=tmp_path)
        await here.clock.advance(1)
        assert (await receiver.next()).summary == "firing: firing ShopDown"
