"""Plain data of a config file without what must not be seen."""

from __future__ import annotations

import re
from typing import Any

from core.secret import HIDDEN

_SECRET_WORDS = ("password", "secret", "token", "credentials", "api_key", "apikey", "private_key", "passphrase",
                 "routing_key", "service_key", "webhook_url", "slack_api_url")  # fmt: skip
_SECRET_MAPPINGS = ("environment", "env", "headers", "http_headers")
"""What people put under these keys is theirs to name, and often a secret."""

_SECRET_OF_RECEIVERS = ("url", "api_url")
"""What is an address elsewhere is a secret where it says who is told: whoever knows it can post there."""

_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def redacted(data: Any) -> Any:
    """Return a copy in which secrets are hidden: by the names of their keys, and where a URL carries a user.

    Values under keys that end with `_file` stay: they name a file, not what is in it.
    """
    if isinstance(data, dict):
        return {key: _value(str(key).lower(), value) for key, value in data.items()}
    if isinstance(data, list):
        return [redacted(item) for item in data]
    return _USER_IN_URL.sub(HIDDEN, data) if isinstance(data, str) else data


def _value(key: str, value: Any) -> Any:
    if key == "receivers":
        return _receivers(value)
    if key in _SECRET_MAPPINGS and isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN)
    if isinstance(value, dict) or key.endswith("_file"):
        return redacted(value)
    if any(word in key for word in _SECRET_WORDS):
        return HIDDEN
    return redacted(value)


def _receivers(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            key: HIDDEN if key in _SECRET_OF_RECEIVERS and isinstance(value, str) else _receivers(value)
            for key, value in redacted(data).items()
        }
    return [_receivers(item) for item in data] if isinstance(data, list) else redacted(data)
