"""The page in a real browser: it shows what is, follows what happens, and lets no value become markup or script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from actions.operation import OperationState, StepState
from alerting.health import Aspect, Health, Reason, Status
from core.clock import SystemClock
from core.errors import ConflictError
from daemon.api.server import WebServer
from tests.daemon.api.conftest import Settings
from tests.daemon.api.fake_view import (
    FakeView,
    make_alert,
    make_incident,
    make_operation,
    make_service,
    make_step,
    make_target,
)
from tests.daemon.console.scenery import break_things, furnish

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.component("chromium"), pytest.mark.asyncio(loop_scope="module")]

DESKTOP, PHONE = {"width": 1320, "height": 900}, {"width": 390, "height": 844}

# Each of these would set `window.hit` if it became anything but text.
HOSTILE = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=2>",
    '"><svg onload=window.hit=3>',
    "' autofocus onfocus=window.hit=4 x='",
    "javascript:window.hit=5",
    "</textarea></title></style></script><script>window.hit=6</script>",
    "{{constructor.constructor('window.hit=7')()}}",
    "${window.hit=8}",
    '<a href="javascript:window.hit=9">click</a>',
    '<iframe srcdoc="<script>parent.hit=10</script>"></iframe>',
    "&lt;b&gt;\u202e\u0000\ud83d\ude00\u2028",
)


@dataclass
class Stage:
    """A page, the daemon behind it, and everything the browser complained of."""

    view: FakeView
    server: WebServer
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def open(self) -> None:
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await self.page.goto(self.server.url)
        await self.page.wait_for_selector("#health h1")

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    async def text(self, selector: str) -> str:
        return await self.page.inner_text(selector)

    async def until(self, selector: str, text: str) -> None:
        """Wait for a text to show, without any reload."""
        self.server.changed()
        await self.page.wait_for_function(
            "([selector, text]) => document.querySelector(selector)?.innerText.includes(text)",
            arg=[selector, text], timeout=8000,
        )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module")
async def stage(browser: Browser) -> AsyncIterator[Stage]:
    """An open page; at the end nothing may have been complained of."""
    view = FakeView(SystemClock())
    server = WebServer(view, Settings())
    await server.start()
    page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
    stage = Stage(view, server, page)
    yield stage
    await page.close()
    await server.stop()
    assert stage.complaints == []


async def test_everything_has_its_place(stage: Stage, tmp_path: Path) -> None:
    await furnish(stage.view)
    await stage.open()
    assert "Unhealthy" in await stage.text("#health")
    assert "31 % of the requests to shop" in await stage.text("#health .reasons")
    assert "HighErrorRate" in await stage.text("#alerts")
    assert "HighErrorRate: shop in production" in await stage.text("#incidents")
    assert "1.4.2" in await stage.text("#services")
    assert "baking" in await stage.text("#services")
    assert "Switch traffic" in await stage.text("#underway")
    assert "connection refused by 10.0.4.17:9121" in await stage.text("#targets")
    assert "Deploy of shop / production" in await stage.text("#operations")
    assert "Policy decision" in await stage.text("#logbook")
    await stage.page.wait_for_function("() => document.querySelectorAll('#machine path.line').length >= 6")
    await stage.page.wait_for_function("() => document.querySelectorAll('#services path.line').length >= 3")
    await stage.page.screenshot(path=tmp_path / "desktop.png", full_page=True)


async def test_a_rollback_is_followed_live_without_a_reload(stage: Stage) -> None:
    view = stage.view
    view.actions.status = [make_service()]
    await stage.open()
    await stage.page.evaluate("window.mark = 'not reloaded'")
    assert "Healthy" in await stage.text("#health")
    view.alerting.shown = [make_alert("HighErrorRate")]
    view.verdict = Health(Status.UNHEALTHY, (Reason(Aspect.AVAILABILITY, Status.UNHEALTHY, "shop fails"),),
                          {Aspect.AVAILABILITY: Status.UNHEALTHY})  # fmt: skip
    await stage.until("#health", "shop fails")
    await stage.until("#alerts", "HighErrorRate")
    running = make_operation(id="r", kind="rollback", state=OperationState.RUNNING, ended_at=None,
                             steps=(make_step("switch traffic", StepState.RUNNING, took=None),))  # fmt: skip
    view.actions.done = [running]
    await stage.until("#underway", "Switch traffic")
    view.actions.done = [replace(running, state=OperationState.SUCCEEDED, ended_at=view.clock.now())]
    view.alerting.shown, view.verdict = [], FakeView(view.clock).verdict
    await stage.until("#operations", "Rollback of shop / production")
    await stage.until("#alerts", "All quiet")
    assert await stage.page.evaluate("window.mark") == "not reloaded"
    assert await stage.page.evaluate("document.querySelector('#underway').children.length") == 0


async def test_an_incident_has_a_page_that_follows_what_happens(stage: Stage) -> None:
    await furnish(stage.view)
    await stage.open()
    await stage.page.click("#incidents .row-link")
    await stage.until("#page h1", "HighErrorRate: shop in production")
    assert stage.page.url.endswith("/#incident/12")
    assert not await stage.page.is_visible("#services")
    await stage.view.logbook.append("incident.noted", "incident/12", {"note": "the second line"}, actor="token:anna")
    await stage.until("#page .story", "the second line")
    await stage.page.click("#page [data-about=alert]")
    assert "the second line" not in await stage.text("#page .story")
    await stage.page.click("#page .back a")
    await stage.page.wait_for_selector("#services", state="visible")
    assert await stage.page.evaluate("document.getElementById('page').hidden")


async def test_an_incident_is_worked_on_from_its_page(stage: Stage) -> None:
    now = stage.view.clock.now()
    stage.view.alerting.shown = [
        make_alert("Errors", expr='rate(errors{job="x"}[1m]) > 0.1', active_since=now - 90, fired_at=now - 40),
        make_alert("Slow", active_since=now - 30, fired_at=now - 30),
    ]
    stage.view.alerting.opened = [
        make_incident(12, opened_at=now - 40, started_at=now - 90, alerts=("Errors-1", "Slow-1"))
    ]
    await stage.open()
    await stage.page.click("#incidents [data-action=acknowledge]")
    await stage.page.fill("#person", "Anna")
    await stage.page.click("#dialog .primary")
    await stage.until("#incidents", "Acknowledged")
    await stage.page.evaluate("location.hash = '#incident/12'")
    await stage.until("#page .incident-facts", "with Anna")
    await stage.page.wait_for_selector("#page .incident-charts path.line", state="attached")
    await stage.page.wait_for_function("() => document.querySelectorAll('#page .threshold').length === 2")
    await stage.page.click("#page [data-action=note]")
    assert await stage.page.input_value("#person") == "Anna"  # asked once
    await stage.page.fill("#note", "payments time out")
    await stage.page.click("#dialog .primary")
    await stage.until("#page .story", "payments time out")
    await stage.page.click("#page [data-action=split]")
    await stage.page.check("#dialog .pick:nth-child(2) input")
    await stage.page.click("#dialog .primary")
    await stage.until("#page h1", "Slow")
    assert stage.page.url.endswith("/#incident/13")
    await stage.page.evaluate("location.hash = '#incident/12'")
    await stage.until("#page h1", "HighErrorRate")
    await stage.page.click("#page [data-action=resolve]")
    await stage.page.click("#dialog .primary")
    await stage.until("#page .incident-tags", "Resolved")
    await stage.page.click("#page [data-action=review]")
    await stage.page.fill("#cause", "a certificate ran out")
    await stage.page.click("#dialog .primary")
    await stage.until("#page .story", "a certificate ran out")
    await stage.page.click("#page .back a >> nth=1")
    await stage.until("#page .big-figures", "2 incidents")


async def test_an_incident_that_is_not_there_is_said(stage: Stage) -> None:
    await stage.open()
    await stage.page.evaluate("location.hash = '#incident/99'")
    await stage.until("#page", "There is no incident 99")
    stage.complaints.clear()  # the browser reports the 404 by itself


async def test_a_link_to_a_silence_opens_its_form(stage: Stage) -> None:
    await furnish(stage.view)
    await stage.open()
    await stage.page.evaluate("location.hash = '#silence/new?filter=%7Balertname%3D%22HighErrorRate%22%7D'")
    await stage.page.wait_for_selector("#dialog[open]")
    assert "alertname=HighErrorRate" in await stage.text("#dialog")


async def test_a_service_is_rolled_back_after_a_question(stage: Stage) -> None:
    stage.view.actions.status = [make_service()]
    await stage.open()
    await stage.page.click("#services [data-action=rollback]")
    question = await stage.text("#dialog")
    assert "Roll back shop / production?" in question
    assert "Traffic moves to them at once" in question
    await stage.page.click("#dialog [data-close]")
    assert stage.view.actions.asked == []
    await stage.page.click("#services [data-action=rollback]")
    await stage.page.fill("#rollback-reason", "errors since 1.4.2")
    await stage.page.click("#dialog .primary")
    await stage.until("#underway", "Rollback of shop / production")
    assert stage.view.actions.asked == [
        ("rollback", "shop", "production", {"revision": 6}, "local", "errors since 1.4.2")
    ]


async def test_an_alert_is_silenced_and_the_silence_is_ended(stage: Stage, tmp_path: Path) -> None:
    labels = {"alertname": "HighErrorRate", "service": "shop", "environment": "production", "code": "5xx"}
    other = make_alert("HighErrorRate", id="other", labels={**labels, "service": "auth"})
    stage.view.alerting.shown = [make_alert("HighErrorRate", labels=labels), other]
    await stage.open()
    assert not await stage.page.is_visible("#silences")
    await stage.page.click("#alerts [data-alert=HighErrorRate-1]")
    assert "Matches 1 alert firing now" in await stage.text("#dialog")
    await stage.page.uncheck("#silence-service")
    assert "Matches 2 alerts firing now" in await stage.text("#dialog")
    await stage.page.check("#silence-service")
    await stage.page.fill("#silence-comment", "load test until noon")
    await stage.page.fill("#silence-author", "ann")
    await stage.page.screenshot(path=tmp_path / "silence-dialog.png")
    await stage.page.click("#dialog .primary")
    await stage.until("#silences", "load test until noon")
    (silence,) = stage.view.alerting.silences.all()
    assert [str(matcher) for matcher in silence.matchers] == [
        'alertname="HighErrorRate"', 'service="shop"', 'environment="production"'
    ]  # fmt: skip
    assert (silence.created_by, round(silence.ends_at - silence.starts_at)) == ("ann", 7200)
    assert "by ann" in await stage.text("#silences")
    assert (await stage.text("#alerts")).count("Silenced") == 1
    await stage.page.screenshot(path=tmp_path / "silenced.png", full_page=True)
    await stage.page.click("#silences [data-action=expire]")
    await stage.page.click("#dialog .primary")
    await stage.page.wait_for_selector("#silences", state="hidden")
    assert silence.id == stage.view.alerting.silences.all()[0].id


async def test_a_refusal_is_told_in_the_dialog(stage: Stage) -> None:
    stage.view.actions.status = [make_service()]
    stage.view.actions.refusal = ConflictError("operation 7 of shop is under way; wait for its end")
    await stage.open()
    await stage.page.click("#services [data-action=rollback]")
    await stage.page.click("#dialog .primary")
    await stage.until("#dialog", "operation 7 of shop is under way")
    assert "wait for its end" in await stage.text("#dialog")
    stage.complaints.clear()  # the browser reports the 409 by itself


async def test_an_operation_is_cancelled_after_a_question(stage: Stage) -> None:
    stage.view.actions.done = [make_operation(id="a b/c", state=OperationState.RUNNING, ended_at=None)]
    await stage.open()
    await stage.page.click("#underway [data-action=cancel]")
    await stage.page.click("#dialog .primary")
    await stage.until("#operations", "Cancelled")


async def test_the_page_is_worked_by_keyboard_alone(stage: Stage) -> None:
    stage.view.actions.status = [make_service()]
    await stage.open()
    await stage.page.focus("#services [data-action=rollback]")
    await stage.page.keyboard.press("Enter")
    assert await stage.page.evaluate("document.getElementById('dialog').open")
    await stage.page.keyboard.press("Escape")
    assert not await stage.page.evaluate("document.getElementById('dialog').open")
    # An update in between leaves the focus where it was.
    stage.view.hostname = "elsewhere"
    await stage.until("#host", "elsewhere")
    assert await stage.page.evaluate("document.activeElement.dataset.action") == "rollback"
    await stage.page.wait_for_selector("#machine path.line", state="attached")
    await stage.page.focus("#machine svg.plot")
    await stage.page.keyboard.press("ArrowLeft")
    assert await stage.page.evaluate("document.querySelectorAll('#machine .cursor').length") == 1


async def test_trouble_of_the_daemon_itself_is_on_top(stage: Stage) -> None:
    await stage.open()
    assert await stage.text("#banners") == ""
    break_things(stage.view)
    await stage.until("#banners", "did you mean 'rate'?")
    banners = await stage.text("#banners")
    assert "The state database cannot be written" in banners
    assert "disk I/O error" in banners


async def test_a_lost_connection_is_told_and_comes_back_by_itself(stage: Stage) -> None:
    await stage.open()
    port = stage.server.address.port
    await stage.server.stop()
    await stage.page.wait_for_selector("#banners >> text=Connection lost")
    stage.server = WebServer(FakeView(stage.view.clock), Settings(f"127.0.0.1:{port}"))
    await stage.server.start()
    try:
        await stage.page.wait_for_selector("#link >> text=Live", timeout=15000)
        assert "Connection lost" not in await stage.text("#banners")
    finally:
        await stage.page.close()
        await stage.server.stop()
    stage.complaints.clear()  # the browser reports refused connections by itself


async def test_an_empty_page_says_what_to_do_next(stage: Stage) -> None:
    await stage.open()
    assert "No service is configured" in await stage.text("#services")
    assert "A critical alert opens one" in await stage.text("#incidents")
    assert "watchkeeper deploy" in await stage.text("#operations")


async def test_no_hostile_value_becomes_more_than_text(stage: Stage) -> None:
    view = stage.view
    await furnish(view)
    view.hostname = HOSTILE[0]
    view.verdict = Health(Status.DEGRADED, tuple(Reason(Aspect.SECURITY, Status.DEGRADED, text) for text in HOSTILE),
                          dict.fromkeys(Aspect, Status.DEGRADED))  # fmt: skip
    view.collectors.shown = [make_target(text, health="down", last_error=text) for text in HOSTILE]
    view.alerting.shown = [
        make_alert(text, id=text, labels={"alertname": text, text: text, "service": text, "environment": text},
                   annotations={"summary": text, "runbook_url": text}) for text in HOSTILE
    ]  # fmt: skip
    view.alerting.opened = [make_incident(n, title=text, service=text) for n, text in enumerate(HOSTILE, 1)]
    view.actions.status = [make_service(service=text, environment=text, problem=text, address=text) for text in HOSTILE]
    view.actions.done = [
        make_operation(id=text, kind=text, requested_by=text, reason=text, error=text, service=text,
                       state=OperationState.RUNNING, steps=(make_step(text, detail=text),)) for text in HOSTILE
    ]  # fmt: skip
    for text in HOSTILE:
        await view.logbook.append(text, f"incident/{text}", {"title": text, text: text}, actor=text)
    await stage.open()
    for selector in ("#health", "#alerts", "#incidents", "#targets", "#underway", "#services", "#logbook"):
        assert HOSTILE[1] in await stage.text(selector), selector
    await stage.page.click("#services [data-action=rollback]:not([disabled])")
    assert await stage.page.evaluate("window.hit") is None
    assert await stage.page.evaluate("document.querySelectorAll('main script, iframe, main img').length") == 0
    links = await stage.page.evaluate("[...document.links].map((link) => link.protocol)")
    assert set(links) <= {"http:", "https:"}
    attributes = await stage.page.evaluate(
        "[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames()).filter((n) => n.startsWith('on'))"
    )
    assert attributes == []
    await stage.page.keyboard.press("Escape")
    await stage.page.evaluate("location.hash = '#incident/2'")
    await stage.until("#page h1", HOSTILE[1])
    await stage.page.evaluate("location.hash = '#incidents/all'")
    await stage.until("#page", HOSTILE[1])
    assert await stage.page.evaluate("window.hit") is None
    assert await stage.page.evaluate("document.querySelectorAll('main script, iframe, main img').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_it_without_scrolling_sideways(stage: Stage, scheme: str, tmp_path: Path) -> None:
    await furnish(stage.view)
    await stage.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await stage.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await stage.open()
    await stage.page.wait_for_selector("#machine path.line", state="attached")
    assert await stage.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await stage.page.screenshot(path=tmp_path / f"phone-{scheme}.png", full_page=True)
    for page, wanted in (("incident/12", "#page .story"), ("incidents/all", "#page .rows")):
        await stage.page.evaluate(f"location.hash = '#{page}'")
        await stage.page.wait_for_selector(wanted)
        assert await stage.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await stage.page.screenshot(path=tmp_path / f"phone-{scheme}-{page.split('/')[0]}.png", full_page=True)
