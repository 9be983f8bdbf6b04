"""Plain data of a config file without what must not be seen."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "<secret>"

_SECRET_WORDS = ("password", "secret", "token", "credentials", "api_key", "apikey", "private_key", "passphrase")
_SECRET_MAPPINGS = ("environment", "env", "headers", "http_headers")
"""What people put under these keys is theirs to name, and often a secret."""

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
    if key in _SECRET_MAPPINGS and isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN)
    if isinstance(value, dict) or key.endswith("_file"):
        return redacted(value)
    if any(word in key for word in _SECRET_WORDS):
        return HIDDEN
    return redacted(value)
