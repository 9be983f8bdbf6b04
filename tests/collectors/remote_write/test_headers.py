"""Which requests are remote write 1.0."""

from __future__ import annotations

import pytest

from collectors.remote_write.headers import HeaderError, check_headers


@pytest.mark.parametrize(
    ("content_type", "encoding", "version"),
    [
        ("application/x-protobuf", "snappy", "0.1.0"),
        ("application/x-protobuf;proto=prometheus.WriteRequest", "snappy", "1.0"),
        ("", "", ""),
    ],
)
def test_version_one_is_taken(content_type: str, encoding: str, version: str) -> None:
    check_headers(content_type, encoding, version)


@pytest.mark.parametrize(
    ("content_type", "encoding", "version", "message"),
    [
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy", "2.0.0", "configure the sender for"),
        ("application/x-protobuf", "snappy", "2.0.0", "version '2.0.0' is not supported"),
        ("application/x-protobuf", "gzip", "0.1.0", "Content-Encoding is 'gzip'; send snappy"),
        ("text/plain", "snappy", "0.1.0", "Content-Type is 'text/plain'; send application/x-protobuf"),
    ],
)
def test_everything_else_is_refused_with_the_remedy(
    content_type: str, encoding: str, version: str, message: str
) -> None:
    with pytest.raises(HeaderError, match=message):
        check_headers(content_type, encoding, version)
