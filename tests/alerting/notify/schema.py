"""What services document of the bodies that they take, as JSON schemas; each names where it is documented."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_URL = {"type": "string", "pattern": "^https?://"}


def _object(required: list[str], properties: dict[str, Any], *, more: bool = False) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": more}


def _pair(first: str) -> dict[str, Any]:
    return _object([first, "value"], {first: _TEXT, "value": _TEXT})


def _text(limit: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": limit}


_FIELD = _object(["title", "value"], {"title": _TEXT, "value": _TEXT, "short": {"type": "boolean"}})
_TARGET = _object(["os", "uri"], {"os": {"const": "default"}, "uri": _URL})

# https://api.slack.com/reference/messaging/payload, .../attachments
SLACK = _object(
    ["attachments"],
    {
        "channel": _TEXT,
        "username": _text(80),
        "icon_emoji": _TEXT,
        "icon_url": _URL,
        "link_names": {"type": "boolean"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": _object(
                ["fallback", "text"],
                {
                    "title": _text(1024),
                    "title_link": _URL,
                    "pretext": _TEXT,
                    "text": _text(40_000),
                    "fallback": _TEXT,
                    "callback_id": _TEXT,
                    "footer": _text(300),
                    "color": {"type": "string", "pattern": "^(good|warning|danger|#[0-9a-fA-F]{6})$"},
                    "mrkdwn_in": {"type": "array", "items": {"enum": ["text", "pretext", "fallback", "fields"]}},
                    "image_url": _URL,
                    "thumb_url": _URL,
                    "fields": {
                        "type": "array",
                        "items": _object(
                            ["title", "value"], {"title": _TEXT, "value": _TEXT, "short": {"type": "boolean"}}
                        ),
                    },
                    "actions": {
                        "type": "array",
                        "maxItems": 5,
                        "items": _object(
                            ["type", "text"],
                            {
                                "type": _TEXT,
                                "text": _TEXT,
                                "url": _TEXT,
                                "style": _TEXT,
                                "name": _TEXT,
                                "value": _TEXT,
                                "confirm": {"type": "object"},
                            },
                        ),
                    },
                },
            ),
        },
    },
)

# https://developer.pagerduty.com/docs/send-alert-event
PAGERDUTY = _object(
    ["routing_key", "event_action", "payload"],
    {
        "routing_key": _TEXT,
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": _text(255),
        "client": _TEXT,
        "client_url": _TEXT,
        "payload": _object(
            ["summary", "source", "severity"],
            {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": _TEXT,
                "component": _TEXT,
                "group": _TEXT,
                "class": _TEXT,
                "custom_details": {"type": "object"},
            },
        ),
        "images": {"type": "array", "items": _object(["src"], {"src": _URL, "href": _URL, "alt": _TEXT})},
        "links": {"type": "array", "items": _object(["href"], {"href": _URL, "text": _TEXT})},
    },
)

# https://developer.pagerduty.com/docs/events-api-v1-overview
PAGERDUTY_V1 = _object(
    ["service_key", "event_type", "description"],
    {
        "service_key": _TEXT,
        "event_type": {"enum": ["trigger", "acknowledge", "resolve"]},
        "incident_key": _text(255),
        "description": _text(1024),
        "details": {"type": "object"},
        "client": _TEXT,
        "client_url": _TEXT,
    },
)

_RESPONDER = _object(
    ["type"],
    {"type": {"enum": ["team", "user", "escalation", "schedule"]}, "id": _TEXT, "name": _TEXT, "username": _TEXT},
)

# https://docs.opsgenie.com/docs/alert-api#create-alert
OPSGENIE = _object(
    ["message"],
    {
        "message": {"type": "string", "minLength": 1, "maxLength": 130},
        "alias": _text(512),
        "description": _text(15_000),
        "responders": {"type": "array", "maxItems": 50, "items": _RESPONDER},
        "actions": {"type": "array", "maxItems": 10, "items": _text(50)},
        "tags": {"type": "array", "maxItems": 20, "items": _text(50)},
        "details": {"type": "object", "additionalProperties": _text(8000)},
        "entity": _text(512),
        "source": _text(100),
        "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
        "note": _text(25_000),
    },
)

# https://core.telegram.org/bots/api#sendmessage
TELEGRAM = _object(
    ["chat_id", "text"],
    {
        "chat_id": {"type": ["integer", "string"]},
        "message_thread_id": {"type": "integer"},
        "text": {"type": "string", "minLength": 1, "maxLength": 4096},
        "parse_mode": {"enum": ["HTML", "Markdown", "MarkdownV2"]},
        "disable_notification": {"type": "boolean"},
        "disable_web_page_preview": {"type": "boolean"},
    },
)

# https://discord.com/developers/docs/resources/webhook#execute-webhook, .../message#embed-object-embed-limits
DISCORD = _object(
    ["embeds"],
    {
        "content": _text(2000),
        "username": _text(80),
        "avatar_url": _URL,
        "embeds": {
            "type": "array",
            "maxItems": 10,
            "items": _object(
                [],
                {
                    "title": _text(256),
                    "description": _text(4096),
                    "url": _URL,
                    "color": {"type": "integer", "minimum": 0, "maximum": 0xFFFFFF},
                    "fields": {
                        "type": "array",
                        "maxItems": 25,
                        "items": _object(
                            ["name", "value"],
                            {
                                "name": {"type": "string", "minLength": 1, "maxLength": 256},
                                "value": {"type": "string", "minLength": 1, "maxLength": 1024},
                            },
                        ),
                    },
                },
            ),
        },
    },
)

# https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference
MSTEAMS = _object(
    ["@type", "@context", "summary", "text"],
    {
        "@type": {"const": "MessageCard"},
        "@context": {"const": "http://schema.org/extensions"},
        "type": {"const": "MessageCard"},
        "title": _TEXT,
        "summary": {"type": "string", "minLength": 1},
        "text": _TEXT,
        "themeColor": {"type": "string", "pattern": "^[0-9A-F]{6}$"},
        "sections": {
            "type": "array",
            "items": _object(
                ["facts"],
                {"facts": {"type": "array", "items": _pair("name")}},
            ),
        },
        "potentialAction": {
            "type": "array",
            "maxItems": 4,
            "items": _object(
                ["@type", "name", "targets"],
                {
                    "@type": {"const": "OpenUri"},
                    "name": _TEXT,
                    "targets": {
                        "type": "array",
                        "items": _TARGET,
                    },
                },
            ),
        },
    },
)

# https://learn.microsoft.com/en-us/connectors/teams (post a card by a Workflow), https://adaptivecards.io/explorer
MSTEAMSV2 = _object(
    ["type", "attachments"],
    {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": _object(
                ["contentType", "content"],
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": _object(
                        ["type", "version", "body"],
                        {
                            "$schema": _URL,
                            "type": {"const": "AdaptiveCard"},
                            "version": {"enum": ["1.2", "1.3", "1.4", "1.5"]},
                            "msteams": {"type": "object"},
                            "body": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "oneOf": [
                                        _object(
                                            ["type", "text"],
                                            {
                                                "type": {"const": "TextBlock"},
                                                "text": _TEXT,
                                                "wrap": {"type": "boolean"},
                                                "weight": {"enum": ["Lighter", "Default", "Bolder"]},
                                                "size": {"enum": ["Small", "Default", "Medium", "Large"]},
                                                "style": {"enum": ["default", "heading"]},
                                                "color": {"enum": ["Attention", "Good", "Warning", "Default"]},
                                            },
                                        ),
                                        _object(
                                            ["type", "facts"],
                                            {
                                                "type": {"const": "FactSet"},
                                                "facts": {
                                                    "type": "array",
                                                    "items": _object(
                                                        ["title", "value"], {"title": _TEXT, "value": _TEXT}
                                                    ),
                                                },
                                            },
                                        ),
                                    ]
                                },
                            },
                            "actions": {
                                "type": "array",
                                "maxItems": 6,
                                "items": _object(
                                    ["type", "title", "url"],
                                    {"type": {"const": "Action.OpenUrl"}, "title": _TEXT, "url": _URL},
                                ),
                            },
                        },
                    ),
                },
            ),
        },
    },
)
