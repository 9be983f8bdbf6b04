"""What comes from outside stays text in every medium; the marks of a template stay marks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.alerting.notify.scene import firing, notice
from tests.alerting.notify.test_contract import SERVICES, made

KINDS = {service.kind: service for service in SERVICES}
HOSTILE = "<!channel> [x](http://evil.example) @everyone *a* a_b"
OWN = "*Ours*: {{ .CommonLabels.team }}"
BROKEN = "{{ slice .Receiver 1000 }}"
IN_SLACK = "&lt;!channel&gt; [x](http://evil.example) @everyone *a* a_b"
IN_TEAMS = r"\<!channel\> \[x\](http://evil.example) @everyone \*a\* a_b"
IN_DISCORD = IN_TEAMS.replace("@", "@\u200b")
IN_TELEGRAM = r"<!channel> \[x](http://evil.example) @everyone \*a\* a\_b"
IN_TELEGRAM_V2 = r"<\!channel\> \[x\]\(http://evil\.example\) @everyone \*a\* a\_b"
IN_HTML = "&lt;!channel&gt; [x](http://evil.example) @everyone *a* a_b"


def text_of(kind: str, keys: dict[str, Any]) -> str:
    of = notice(firing(team=HOSTILE), group_labels={"team": HOSTILE})
    document = json.loads(made(KINDS[kind], "http://x", **keys).render(of))
    match kind:
        case "slack":
            return str(document["attachments"][0]["text"])
        case "discord":
            return str(document["embeds"][0]["description"])
        case "msteamsv2":
            return str(document["attachments"][0]["content"]["body"][1]["text"])
    return str(document["text"])


MEDIA = [
    ("slack", "text", {}, IN_SLACK),
    ("discord", "message", {}, IN_DISCORD),
    ("msteams", "text", {}, IN_TEAMS),
    ("msteamsv2", "text", {}, IN_TEAMS),
    ("telegram", "message", {"parse_mode": "Markdown"}, IN_TELEGRAM),
    ("telegram", "message", {"parse_mode": "MarkdownV2"}, IN_TELEGRAM_V2),
    ("telegram", "message", {"parse_mode": "HTML"}, IN_HTML),
    ("telegram", "message", {"parse_mode": ""}, HOSTILE),
]
every_medium = pytest.mark.parametrize(
    ("kind", "key", "keys", "expected"),
    MEDIA,
    ids=[f"{kind}{more.get('parse_mode', '')}" for kind, _, more, _ in MEDIA],
)


@every_medium
def test_a_label_in_a_template_of_the_user_stays_text(kind: str, key: str, keys: dict[str, Any], expected: str) -> None:
    assert text_of(kind, {**keys, key: OWN}).startswith(f"*Ours*: {expected}")


@every_medium
def test_what_goes_through_safe_html_passes_as_it_is(kind: str, key: str, keys: dict[str, Any], expected: str) -> None:
    assert text_of(kind, {**keys, key: "{{ .CommonLabels.team | safeHtml }}"}).startswith(HOSTILE)


@every_medium
def test_the_text_of_a_template_that_failed_is_escaped_too(
    kind: str, key: str, keys: dict[str, Any], expected: str
) -> None:
    text = text_of(kind, {**keys, key: BROKEN})
    assert expected in text
    assert "a template of this receiver failed" in text


@every_medium
def test_the_usual_text_shows_labels_as_text(kind: str, key: str, keys: dict[str, Any], expected: str) -> None:
    assert f"team={expected}" in text_of(kind, keys).replace("\\=", "=")


def test_nobody_is_mentioned_in_discord_but_by_the_template() -> None:
    of = notice(firing(team="@here <@1234> <@&5> ann@example.org"))
    body = made(KINDS["discord"], "http://x", content="<@&7> {{ .CommonLabels.team }}").render(of)
    shown = "@\u200bhere \\<@\u200b1234\\> \\<@\u200b&5\\> ann@example.org"
    assert json.loads(body)["content"] == f"<@&7> {shown}"
