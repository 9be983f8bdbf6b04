"""Choosing the format by the Accept header."""

from __future__ import annotations

import pytest

from exporters.negotiation import choose_format

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

CASES = [
    ("", TEXT),
    ("*/*", TEXT),
    ("application/json", TEXT),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
    ("text/plain", TEXT),
    ("text/plain;version=0.0.4", TEXT),
    ("application/openmetrics-text", OPENMETRICS),
    ('Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', OPENMETRICS),
    ("application/openmetrics-text;version=2.0.0,text/plain", TEXT),
    ("application/openmetrics-text;version=0.0.1", "application/openmetrics-text; version=0.0.1; charset=utf-8"),
    ("application/openmetrics-text;q=0.1,text/plain;q=0.2", TEXT),
    ("application/openmetrics-text;q=0,text/plain;q=0.001", TEXT),
    ("application/openmetrics-text;q=0", TEXT),
    ("application/openmetrics-text;q=much,text/plain;q=0.5", TEXT),
    # What Prometheus 2.42 sends.
    (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        OPENMETRICS,
    ),
    # What Prometheus 3 sends.
    (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
        "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        OPENMETRICS + "; escaping=allow-utf-8",
    ),
    ("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
    ("application/openmetrics-text;version=1.0.0;escaping=dots", OPENMETRICS + "; escaping=underscores"),
    ("text/plain;version=0.0.4;escaping=allow-utf-8", TEXT),
    (";;,;q=1,,", TEXT),
]


@pytest.mark.parametrize(("accept", "content_type"), CASES)
def test_format_follows_the_accept_header(accept: str, content_type: str) -> None:
    assert choose_format(accept).content_type == content_type
