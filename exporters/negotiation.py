"""Which text format a scraper gets, by the Accept header of its request."""

from __future__ import annotations

from dataclasses import dataclass

_OPENMETRICS = "application/openmetrics-text"
_TEXT = "text/plain"
_VERSIONS = {_OPENMETRICS: ("1.0.0", "0.0.1"), _TEXT: ("0.0.4", "1.0.0")}
"""What we write, the default first. OpenMetrics 0.0.1 was its draft; text 1.0.0 is 0.0.4 with quoted names."""


@dataclass(frozen=True, slots=True)
class Format:
    """A text format.

    Attributes:
        utf8_names: whether names may have any characters and are then quoted; else others become underscores.
    """

    openmetrics: bool
    version: str = "0.0.4"
    utf8_names: bool = False
    escaping_named: bool = False

    @property
    def content_type(self) -> str:
        """The header of the answer."""
        media = _OPENMETRICS if self.openmetrics else _TEXT
        scheme = "allow-utf-8" if self.utf8_names else "underscores"
        escaping = f"; escaping={scheme}" if self.escaping_named else ""
        return f"{media}; version={self.version}; charset=utf-8{escaping}"


FALLBACK = Format(openmetrics=False)


def choose_format(accept: str) -> Format:
    """Return the format that the client likes best; the text format 0.0.4 where it names none that we know."""
    best, best_quality = FALLBACK, 0.0
    for item in accept.split(","):
        media, *rest = (part.strip() for part in item.split(";"))
        parameters = {
            key.strip().lower(): value.strip().strip('"') for key, _, value in (p.partition("=") for p in rest)
        }
        quality, chosen = _quality(parameters.get("q", "1")), _format(media.lower(), parameters)
        if chosen is not None and quality > best_quality:
            best, best_quality = chosen, quality
    return best


def _format(media: str, parameters: dict[str, str]) -> Format | None:
    if media in ("*/*", "text/*"):
        return FALLBACK
    if media not in _VERSIONS:
        return None
    version = parameters.get("version", _VERSIONS[media][0])
    if version not in _VERSIONS[media]:
        return None
    # Escaping schemes came with version 1.0.0 of both formats.
    escaping = parameters.get("escaping") if version == "1.0.0" else None
    return Format(media == _OPENMETRICS, version, escaping == "allow-utf-8", escaping is not None)


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
