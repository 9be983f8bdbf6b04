"""The part of a config that Alertmanager has too, written for its API: without secrets, and without keys of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from alerting.config import AlertingConfig
from alerting.route import DEFAULT_GROUP_BY

_KEYS = {"route", "receivers", "inhibit_rules", "time_intervals", "mute_time_intervals", "templates"}
_HIDDEN_URL = "http://hidden/"
"""Stands for the address of a webhook: amtool 0.25 takes no `<secret>` there, as later ones do."""

_OURS = ("fallback_receiver", "fallback_after", "signing_secret_file", "apprise_configs")


def routing_text(config: AlertingConfig) -> str:
    """Return what a config says of routes, receivers, inhibition and times, as YAML that Alertmanager's tools read."""
    found = config.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True, include=_KEYS)
    if "route" not in found and config.receivers:
        found["route"] = {"receiver": config.receivers[0].name, "group_by": list(DEFAULT_GROUP_BY), "group_wait": "0s"}
    return yaml.safe_dump(_without_ours(found), sort_keys=False, allow_unicode=True)


def _without_ours(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _without_ours(inner) for key, inner in value.items() if key not in _OURS}
        return kept | {"url": _HIDDEN_URL} if kept.get("url") == "<secret>" else kept
    return [_without_ours(inner) for inner in value] if isinstance(value, list) else value
