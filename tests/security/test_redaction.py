"""What of a config file may be seen."""

from __future__ import annotations

from typing import Any

import pytest

from core.secret import HIDDEN
from security.redaction import redacted


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"password": "x"}, {"password": HIDDEN}),
        ({"Password": "x", "password_file": "/etc/p"}, {"Password": HIDDEN, "password_file": "/etc/p"}),
        ({"authorization": {"type": "Bearer", "credentials": "x"}},
         {"authorization": {"type": "Bearer", "credentials": HIDDEN}}),
        ({"a": [{"bearer_token": "x"}]}, {"a": [{"bearer_token": HIDDEN}]}),
        ({"oauth2": {"client_id": "i", "client_secret": "x"}}, {"oauth2": {"client_id": "i", "client_secret": HIDDEN}}),
        ({"environment": {"DATABASE": "x"}}, {"environment": {"DATABASE": HIDDEN}}),
        ({"headers": {"X-Api-Key": "x"}}, {"headers": {"X-Api-Key": HIDDEN}}),
        ({"environment": "production"}, {"environment": "production"}),
        ({"url": "postgresql://user:pw@host/db"}, {"url": f"postgresql://{HIDDEN}@host/db"}),
        ({"secrets": ["x", "y"]}, {"secrets": HIDDEN}),
        ({"url": "http://host/a@b"}, {"url": "http://host/a@b"}),
        ({5: None, "interval": 1.5, "on": True}, {5: None, "interval": 1.5, "on": True}),
    ],
)  # fmt: skip
def test_secrets_are_hidden_and_the_rest_stays(data: Any, shown: Any) -> None:
    assert redacted(data) == shown
