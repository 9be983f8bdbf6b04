"""What the headers of a remote write request must say."""

from __future__ import annotations

from core.errors import UserError

MEDIA_TYPE = "application/x-protobuf"
MESSAGE = "prometheus.WriteRequest"
ENCODING = "snappy"


class HeaderError(UserError):
    """A request of a kind that we do not take."""


def check_headers(content_type: str, content_encoding: str, version: str) -> None:
    """Refuse what is not remote write 1.0. An absent header, empty here, is taken for that of 1.0, as by Prometheus.

    Raises: HeaderError: with what to send instead.
    """
    media, message = _media_type(content_type)
    if media != MEDIA_TYPE:
        raise HeaderError(f"Content-Type is {content_type[:80]!r}; send {MEDIA_TYPE}")
    if message != MESSAGE:
        remedy = f"configure the sender for remote write 1.0 ({MESSAGE})"
        raise HeaderError(f"the message {message[:80]!r} is not supported; {remedy}")
    if content_encoding.strip().lower() not in ("", ENCODING):
        raise HeaderError(f"Content-Encoding is {content_encoding[:40]!r}; send {ENCODING}")
    if version and not version.strip().startswith(("0.", "1.")):
        remedy = "configure the sender for remote write 1.0"
        raise HeaderError(f"remote write version {version[:20]!r} is not supported; {remedy}")


def _media_type(content_type: str) -> tuple[str, str]:
    media, *parameters = (part.strip() for part in content_type.split(";"))
    message = MESSAGE
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "proto":
            message = value.strip().strip('"')
    return media.lower() or MEDIA_TYPE, message
