"""Incidents over HTTP: what is told, what people do, and links that ask before they act."""

from __future__ import annotations

import re
from typing import Any

import pytest

from alerting.alert import Severity
from alerting.incident import IncidentStatus
from core.errors import StoreUnavailableError
from tests.daemon.api.conftest import Serve, Served
from tests.daemon.api.fake_view import make_alert, make_incident

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>"


def furnish(served: Served, **changes: Any) -> None:
    now = served.clock.now()
    shop = {"alertname": "HighErrorRate", "service": "shop", "environment": "production", "severity": "critical"}
    served.view.alerting.shown = [
        make_alert("HighErrorRate", labels=shop, severity=Severity.CRITICAL, active_since=now - 70, fired_at=now - 40,
                   expr='sum(rate(errors{service="shop"}[1m])) > 0.1'),
        make_alert("Slow", labels={**shop, "alertname": "Slow"}, expr="latency_seconds > 2"),
    ]  # fmt: skip
    changes = {"opened_at": now - 40, "started_at": now - 70, "alerts": ("HighErrorRate-1", "Slow-1")} | changes
    served.view.alerting.opened = [make_incident(7, **changes), make_incident(3, status=IncidentStatus.RESOLVED,
                                                                              resolved_at=now - 10)]  # fmt: skip


async def test_a_record_has_alerts_plots_suspects_and_a_timeline_in_words(served: Served) -> None:
    furnish(served)
    await served.view.logbook.append("config.reloaded", "config", {}, actor="token:anna")
    served.view.logbook.entries[-1] = served.view.logbook.entries[-1].__class__(
        1, served.clock.now() - 90, "config.reloaded", "config", "token:anna", {}, "", ""
    )
    await served.view.logbook.append("incident.opened", "incident/7", {"severity": "critical"})
    status, record = await served.get("incidents/7")
    assert (status, record["id"], record["firing"]) == (200, 7, 0)
    assert [line["text"] for line in record["timeline"]] == [
        "Configuration reloaded by anna", "Incident opened, critical"
    ]  # fmt: skip
    assert record["suspects"] == ["configuration, reloaded 20 s before"]
    assert record["timeline"][0]["is_suspect"]
    assert [(plot["query"], plot["threshold"]) for plot in record["plots"]] == [
        ('sum(rate(errors{service="shop"}[1m]))', 0.1), ("latency_seconds", 2)
    ]  # fmt: skip


async def test_what_people_do_is_answered_with_the_incident_as_it_is_then(served: Served) -> None:
    furnish(served)
    for action, body, expected in (
        ("acknowledge", {"note": "looking", "person": "Anna"}, ("status", "acknowledged")),
        ("assign", {"owner": "bob"}, ("owner", "bob")),
        ("severity", {"severity": "low"}, ("severity", "low")),
        ("note", {"note": "it is the release"}, ("owner", "bob")),
        ("mitigate", {}, ("status", "mitigated")),
        ("resolve", {}, ("status", "resolved")),
        ("review", {"cause": "a release", "follow_ups": "test it"}, ("status", "reviewed")),
        ("reopen", None, ("by_hand", True)),
        ("split", {"alerts": ["Slow-1"], "title": "Slow pages"}, ("title", "Slow pages")),
        ("merge", {"into": 3}, None),
    ):
        status, answer = await served.post(f"incidents/7/{action}", body)
        if expected is None:
            assert (status, answer["error"]["message"]) == (409, "incident 3 is resolved")
        else:
            assert (status, answer[expected[0]]) == (200, expected[1]), action
    actors = {(entry.kind, entry.actor) for entry in served.view.logbook.entries}
    assert ("incident.acknowledged", "local") in actors


async def test_one_is_opened_by_hand(served: Served) -> None:
    status, answer = await served.post("incidents", {"title": "No power", "severity": "critical", "person": "Anna"})
    assert (status, answer["title"], answer["severity"], answer["by_hand"]) == (201, "No power", "critical", True)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("incidents/99/acknowledge", {}, 404, "there is no incident 99"),
        ("incidents/x/acknowledge", {}, 404, "there is no incident 'x'"),
        ("incidents/7/acknowledge", {"nonsense": 1}, 400, "unknown key 'nonsense'"),
        ("incidents/7/severity", {"severity": "awful"}, 400, "'severity' is 'awful'"),
        ("incidents/7/merge", {"into": "3"}, 400, "'into' is '3'"),
        ("incidents/7/split", {"alerts": "Slow-1"}, 400, "'alerts' is no list"),
        ("incidents/7/note", {}, 400, "'note' is required"),
        ("incidents/7/note", {"note": "x", "person": "a\nb\x00"}, 400, "'person' is no name"),
        ("incidents/3/mitigate", {}, 409, "incident 3 is resolved already"),
        ("incidents", {"title": ""}, 400, "'title' must have"),
    ],
)
async def test_mistakes_are_said(served: Served, path: str, body: Any, status: int, message: str) -> None:
    furnish(served)
    answered, document = await served.post(path, body)
    assert (answered, message in document["error"]["message"]) == (status, True), document


async def test_figures_are_told_for_all_and_by_service(served: Served) -> None:
    furnish(served, acknowledged_at=served.clock.now() - 10)
    _, document = await served.get("incidents/figures?days=7")
    assert (document["days"], document["all"]["incidents"], document["all"]["open"]) == (7, 2, 1)
    assert document["all"]["acknowledge"] == {"count": 1, "mean": 30.0, "median": 30.0, "worst": 30.0}
    assert [one["service"] for one in document["services"]] == ["shop"]


async def test_the_review_is_one_file_without_scripts(served: Served) -> None:
    furnish(served, title=HOSTILE, status=IncidentStatus.RESOLVED, resolved_at=served.clock.now() - 5)
    await served.view.logbook.append("incident.noted", "incident/7", {"note": HOSTILE}, actor=f"token:{HOSTILE}")
    async with served.client.get(served.url("incidents/7/review?format=html")) as response:
        page = await response.text()
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search(r"<[^>]*\s(?:src|href)=", page)
    async with served.client.get(served.url("incidents/7/review")) as response:
        text = await response.text()
        assert response.content_type == "text/markdown"
    assert text.startswith("# Review of incident 7: \\<script\\>")
    status, document = await served.get("incidents/7/review?format=pdf")
    assert (status, document["error"]["message"]) == (400, "'format' is 'pdf'")


# Links.


async def link(served: Served, person: str = "", seconds: float = 60.0) -> str:
    signer = served.view.alerting.room.desk.signer
    return served.url("/act/" + signer.token("acknowledge", 7, person, served.clock.now() + seconds))


async def test_following_a_link_does_nothing_pressing_its_button_acknowledges(serve: Serve) -> None:
    served = await serve(token="s3cret-token")  # who has the link needs no other token
    furnish(served)
    address = await link(served)
    for _ in range(3):  # a mail scanner
        async with served.client.get(address) as response:
            assert response.status == 200
            page = await response.text()
    async with served.client.head(address) as response:
        assert response.status == 200
    assert "Acknowledge: I work on it" in page
    assert 'method="post"' in page
    assert served.view.alerting.opened[0].status is IncidentStatus.OPEN
    async with served.client.post(address, data={"person": "Anna"}) as response:
        assert (response.status, "Anna works on it now" in await response.text()) == (200, True)
    assert served.view.alerting.opened[0].acknowledged_by == "Anna"
    assert served.view.logbook.entries[-1].actor == "link:Anna"
    async with served.client.post(address, data={"person": "Eve"}) as response:
        assert (response.status, "acknowledged by Anna" in await response.text()) == (409, True)
    assert served.view.alerting.room.metrics.used == ["acknowledged", "refused"]


async def test_a_link_for_one_person_asks_for_no_name_and_takes_none(served: Served) -> None:
    furnish(served)
    address = await link(served, person="carol")
    async with served.client.get(address) as response:
        page = await response.text()
    assert "You are carol" in page
    assert "<input" not in page
    async with served.client.post(address, data={"person": "Mallory"}):
        assert served.view.alerting.opened[0].acknowledged_by == "carol"


@pytest.mark.parametrize(("path", "status", "message"), [
    ("/act/abc.def", 403, "damaged or not from here"),
    ("/act/" + "x" * 5000, 403, "damaged or not from here"),
])  # fmt: skip
async def test_a_link_that_is_none_of_ours_says_so(served: Served, path: str, status: int, message: str) -> None:
    async with served.client.post(served.url(path)) as response:
        assert (response.status, message in await response.text()) == (status, True)


async def test_an_old_link_says_what_to_use_instead(served: Served) -> None:
    furnish(served)
    async with served.client.get(await link(served, seconds=-1)) as response:
        assert (response.status, "too old" in await response.text()) == (403, True)


async def test_while_nothing_can_be_written_the_link_says_so_and_keeps_working(served: Served) -> None:
    furnish(served)
    address = await link(served)
    served.view.alerting.room.desk.refusal = StoreUnavailableError("the state database is full; try again")
    async with served.client.post(address) as response:
        assert (response.status, "database is full" in await response.text()) == (503, True)
    served.view.alerting.room.desk.refusal = None
    async with served.client.post(address) as response:
        assert response.status == 200


async def test_no_value_becomes_markup_on_the_page_of_a_link(served: Served) -> None:
    furnish(served, title=HOSTILE, service=HOSTILE, owner=HOSTILE)
    async with served.client.get(await link(served, person=HOSTILE)) as response:
        page = await response.text()
        assert "script-src" not in response.headers["Content-Security-Policy"]
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in page
    assert "<img" not in page


async def test_only_links_pass_without_a_token(serve: Serve) -> None:
    served = await serve(token="s3cret-token")
    furnish(served)
    status, _ = await served.post("incidents/7/acknowledge", {})
    assert status == 401
    async with served.client.get(served.url("/actually")) as response:
        assert response.status == 401
