"""Alertmanager's API over a fake daemon with real silences."""

from __future__ import annotations

from typing import Any

import pytest

from alerting.alert import AlertState, fingerprint
from alerting.pipeline.dispatch import GroupView
from alerting.pipeline.stage import AlertStatus
from alerting.route import Route
from core.errors import StoreUnavailableError
from daemon.api.alertmanager.answer import format_time
from tests.daemon.api.conftest import Served
from tests.daemon.api.fake_view import make_alert

HOUR = 3600.0


async def ask(served: Served, path: str) -> Any:
    status, document = await served.get(f"/api/v2/{path}")
    assert status == 200, document
    return document


def wish(served: Served, **changes: Any) -> dict[str, Any]:
    now = served.clock.now()
    matcher = {"name": "alertname", "value": "Disk", "isRegex": False, "isEqual": True}
    return {
        "matchers": [matcher], "startsAt": format_time(now), "endsAt": format_time(now + HOUR),
        "createdBy": "ann", "comment": "new disk is on its way",
    } | changes  # fmt: skip


async def silence(served: Served, **changes: Any) -> str:
    status, document = await served.post("/api/v2/silences", wish(served, **changes))
    assert status == 200, document
    return str(document["silenceID"])


# Silences.


async def test_a_silence_is_made_told_and_ended(served: Served) -> None:
    id_ = await silence(served)
    now = served.clock.now()
    expected = {
        "id": id_, "status": {"state": "active"}, "updatedAt": format_time(now), "comment": "new disk is on its way",
        "createdBy": "ann", "startsAt": format_time(now), "endsAt": format_time(now + HOUR),
        "matchers": [{"isEqual": True, "isRegex": False, "name": "alertname", "value": "Disk"}],
    }  # fmt: skip
    assert await ask(served, f"silence/{id_}") == expected
    assert await ask(served, "silences") == [expected]
    async with served.client.delete(served.url(f"/api/v2/silence/{id_}")) as response:
        assert (response.status, await response.read()) == (200, b"")
    assert (await ask(served, f"silence/{id_}"))["status"] == {"state": "expired"}


async def test_a_longer_silence_keeps_its_id_and_another_one_gets_its_own(served: Served) -> None:
    id_ = await silence(served)
    later = format_time(served.clock.now() + 2 * HOUR)
    assert await silence(served, id=id_, endsAt=later) == id_
    other = [{"name": "alertname", "value": "Cpu", "isRegex": False}]
    second = await silence(served, id=id_, endsAt=later, matchers=other)
    assert second != id_
    assert [one["id"] for one in await ask(served, "silences")] == [second, id_]


async def test_silences_come_active_first_and_pending_before_expired(served: Served) -> None:
    now = served.clock.now()
    times = {"late": (0, 3), "soon": (0, 2), "second": (5, 9), "first": (4, 9)}
    ids = {
        name: await silence(
            served, startsAt=format_time(now + start * HOUR), endsAt=format_time(now + end * HOUR), comment=name
        )
        for name, (start, end) in times.items()
    }
    ended = await silence(served, comment="ended")
    async with served.client.delete(served.url(f"/api/v2/silence/{ended}")):
        pass
    found = [one["comment"] for one in await ask(served, "silences")]
    assert found == ["soon", "late", "first", "second", "ended"]
    assert len(set(ids.values())) == 4


@pytest.mark.parametrize(
    ("filter_", "count"),
    [('alertname="Disk"', 1), ("alertname=~Di.*", 1), ('alertname="Cpu"', 0), ('alertname!="Disk"', 0), ("team=", 1),
     ('team!=""', 0), ("alertname!=", 1)],
)  # fmt: skip
async def test_silences_are_filtered_by_what_they_match(served: Served, filter_: str, count: int) -> None:
    await silence(served)
    async with served.client.get(served.url("/api/v2/silences"), params={"filter": filter_}) as response:
        assert len(await response.json()) == count


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"comment": ""}, 400, "has no comment"),
        ({"createdBy": " "}, 400, "has no author"),
        ({"comment": None}, 422, "silence.comment in body is required"),
        ({"matchers": []}, 422, "at least 1 items"),
        ({"matchers": [{"name": "a", "value": "b"}]}, 422, "isRegex in body is required"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, 400, "no regular expression"),
        ({"matchers": [{"name": "a", "value": ".*", "isRegex": True}]}, 400, "must not match the empty string"),
        ({"endsAt": "2020-01-01T00:00:00Z", "startsAt": "2019-01-01T00:00:00Z"}, 400, "end time can't be in the past"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, 400, "start time must be before end time"),
        ({"endsAt": "tomorrow"}, 422, "must be of type date-time"),
        ({"id": "c0ffee00-0000-4000-8000-000000000000"}, 404, "is not known"),
    ],
)
async def test_a_silence_that_cannot_be_is_refused(
    served: Served, changes: dict[str, Any], status: int, message: str
) -> None:
    given, answer = await served.post("/api/v2/silences", wish(served, **changes))
    assert given == status
    assert message in (answer if isinstance(answer, str) else answer["message"])
    assert await ask(served, "silences") == []


async def test_unknown_silences_are_told_so(served: Served) -> None:
    missing = "c0ffee00-0000-4000-8000-000000000000"
    assert (await served.get(f"/api/v2/silence/{missing}"))[0] == 404
    assert (await served.get("/api/v2/silence/nonsense"))[0] == 422
    async with served.client.delete(served.url(f"/api/v2/silence/{missing}")) as response:
        assert response.status == 404


# Alerts.


async def test_alerts_are_told_with_what_keeps_them(served: Served) -> None:
    pipeline, now = served.view.alerting.pipeline, served.clock.now()
    quiet = make_alert("Disk", labels={"alertname": "Disk", "team": "shop"})
    pipeline.known = [quiet, make_alert("Cpu", generator_url="http://p/graph", expires_at=now + 60, updated_at=now)]
    status = AlertStatus("suppressed", silenced_by=("s1",), receivers=("team", "mail"))
    pipeline.standing = {fingerprint(quiet.labels): status}
    found = {one["labels"]["alertname"]: one for one in await ask(served, "alerts")}
    assert found["Disk"]["status"] == {
        "inhibitedBy": [], "mutedBy": [], "silencedBy": ["s1"], "state": "suppressed"
    }  # fmt: skip
    assert found["Disk"]["receivers"] == [{"name": "team"}, {"name": "mail"}]
    assert found["Disk"]["generatorURL"] == "http://watch-1:8797/#alert/Disk-1"
    assert found["Cpu"]["generatorURL"] == "http://p/graph"
    assert (found["Cpu"]["endsAt"], found["Cpu"]["updatedAt"]) == (format_time(now + 60), format_time(now))
    for query, names in {
        "silenced=false": {"Cpu"}, "active=false": {"Disk"}, "receiver=ma.l": {"Disk"}, "receiver=ma": set(),
        "filter=team%3D%22shop%22": {"Disk"}, "filter=alertname%3D~%22Disk|Cpu%22": {"Disk", "Cpu"},
        "filter=team%3D%22%22": {"Cpu"}, "inhibited=false": {"Disk", "Cpu"},
    }.items():  # fmt: skip
        assert {one["labels"]["alertname"] for one in await ask(served, f"alerts?{query}")} == names, query


async def test_wrong_questions_are_refused(served: Served) -> None:
    for query, status in {"filter=%7B": 400, "receiver=(": 400, "active=maybe": 422}.items():
        assert (await served.get(f"/api/v2/alerts?{query}"))[0] == status
        assert (await served.get(f"/api/v2/alerts/groups?{query}"))[0] == status


async def test_groups_have_their_receiver_and_their_alerts(served: Served) -> None:
    pipeline, route = served.view.alerting.pipeline, Route("team")
    disk, cpu = make_alert("Disk"), make_alert("Cpu", state=AlertState.FIRING)
    pipeline.known = [disk, cpu]
    pipeline.grouped = [
        GroupView(route, "k2", {"alertname": "Disk"}, "team", (disk,)),
        GroupView(route, "k1", {"alertname": "Cpu"}, "team", (cpu,)),
    ]
    found = await ask(served, "alerts/groups")
    assert [(group["labels"], group["receiver"]) for group in found] == [
        ({"alertname": "Cpu"}, {"name": "team"}), ({"alertname": "Disk"}, {"name": "team"})
    ]  # fmt: skip
    assert found[0]["alerts"][0]["labels"]["alertname"] == "Cpu"
    assert len(await ask(served, "alerts/groups?filter=alertname%3DCpu")) == 1
    assert await ask(served, "alerts/groups?receiver=other") == []


async def test_posted_alerts_reach_the_pipeline(served: Served) -> None:
    body = [
        {"labels": {"alertname": "Disk", "empty": ""}, "annotations": {"summary": "full"},
         "startsAt": "2023-11-14T22:13:20.123456789Z", "generatorURL": "http://p"},
        {"labels": {"alertname": "Cpu"}, "endsAt": "2023-11-14T22:13:20+01:00", "startsAt": "0001-01-01T00:00:00Z"},
    ]  # fmt: skip
    async with served.client.post(served.url("/api/v2/alerts"), json=body) as response:
        assert (response.status, await response.read()) == (200, b"")
    disk, cpu = served.view.alerting.pipeline.posted
    assert (disk.labels, disk.annotations) == ({"alertname": "Disk"}, {"summary": "full"})
    assert disk.starts_at == pytest.approx(1_700_000_000.123456)
    assert (disk.ends_at, disk.generator_url) == (None, "http://p")
    assert (cpu.starts_at, cpu.ends_at) == (None, 1_700_000_000.0 - 3600)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ([{"labels": {}}], 400, "at least one label pair required"),
        ([{"labels": {"a-b": "c"}}], 400, 'invalid label set: invalid name "a-b"'),
        ([{"labels": {"a": "b"}, "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:13:19Z"}], 400,
         "start time must be before end time"),
        ([{}], 422, "alerts.0.labels in body is required"),
        ([{"labels": {"a": 1}}], 422, "alerts.0.labels in body must be of type object"),
        ({"labels": {"a": "b"}}, 422, "must be of type array"),
        ([{"labels": {"a": "b"}, "startsAt": "now"}], 422, "date-time"),
    ],
)  # fmt: skip
async def test_alerts_that_cannot_be_are_refused(served: Served, body: Any, status: int, message: str) -> None:
    given, answer = await served.post("/api/v2/alerts", body)
    assert given == status
    assert message in (answer if isinstance(answer, str) else answer["message"])
    assert served.view.alerting.pipeline.posted == []


async def test_valid_alerts_beside_wrong_ones_are_taken(served: Served) -> None:
    given, _ = await served.post("/api/v2/alerts", [{"labels": {}}, {"labels": {"alertname": "Disk"}}])
    assert given == 400
    assert [one.labels for one in served.view.alerting.pipeline.posted] == [{"alertname": "Disk"}]


async def test_what_cannot_be_made_durable_is_not_accepted(served: Served) -> None:
    served.view.alerting.pipeline.refusal = StoreUnavailableError("the state database cannot be written: disk full")
    given, answer = await served.post("/api/v2/alerts", [{"labels": {"alertname": "Disk"}}])
    assert given == 503
    assert "disk full" in answer


async def test_a_body_that_is_no_json_is_told_so(served: Served) -> None:
    for path in ("alerts", "silences"):
        headers = {"Content-Type": "application/json"}
        async with served.client.post(served.url(f"/api/v2/{path}"), data=b"{", headers=headers) as response:
            assert response.status == 400
            assert (await response.json())["code"] == 400


# What there is.


async def test_status_and_receivers_are_told(served: Served) -> None:
    status = await ask(served, "status")
    assert status["cluster"] == {"peers": [], "status": "disabled"}
    assert status["config"] == {"original": "route:\n  receiver: team\n"}
    assert status["versionInfo"]["version"] == "0.1.0"
    assert status["uptime"] == format_time(served.view.started_at)
    assert await ask(served, "receivers") == [{"name": "team"}, {"name": "fallback"}]


@pytest.mark.parametrize(("method", "path"), [("GET", "status"), ("POST", "alerts"), ("GET", "silences")])
async def test_the_first_version_of_the_api_is_gone(served: Served, method: str, path: str) -> None:
    async with served.client.request(method, served.url(f"/api/v1/{path}"), json=[]) as response:
        assert response.status == 410
        assert (await response.json())["status"] == "deprecated"


async def test_a_token_is_asked_for_here_too(serve: Any) -> None:
    served = await serve(token="x" * 40)
    assert (await served.get("/api/v2/silences"))[0] == 401
    assert (await served.post("/api/v2/alerts", []))[0] == 401
