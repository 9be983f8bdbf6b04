"""Escapes what a template yields for the place in the HTML at which it stands.

The place is found while the page is written: what stands in the template moves a small automaton of HTML's states;
a value never does, because it is escaped so that it cannot leave its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ClassVar
from urllib.parse import quote

from alerting.template.builtin import escape_html
from alerting.template.go_format import show
from alerting.template.output import Output
from alerting.template.value import SafeHtml

REFUSED = "ZgotmplZ"
"""Stands where a value must not, as in Go."""

_TAG = re.compile(r"<(?:(?P<comment>!--)|(?P<name>/?(?:[A-Za-z][A-Za-z0-9-]*|\Z)))")
_ATTRIBUTE = re.compile(
    r"\s*(?:(?P<end>/?>)|(?P<name>[^\s=>/\"']+)\s*(?P<equals>=\s*(?P<quote>[\"']?))?|(?P<other>.))", re.DOTALL
)
_SCHEME = re.compile(r"\s*([^/?#:]*):")
_ADDRESSES = frozenset(
    {"action", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon", "longdesc",
     "manifest", "poster", "profile", "src", "usemap"}
)  # fmt: skip
_SAFE_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_RAW = frozenset({"script", "style", "title", "textarea"})
_MARKUP = re.compile(r"<[^>]*>?")
_ADDRESS_SIGNS = "/?&=:@+,;%#!$~*().-_[]"
_CSS_SAFE = re.compile(r"[-A-Za-z0-9 #%.,_]*")


class HtmlOutput(Output):
    """Collects a page and escapes every value for its place in it."""

    def __init__(self) -> None:
        super().__init__()
        self._state = "text"
        self._element = ""
        self._attribute = ""
        self._quote = ""
        self._is_begun = False
        self._is_query = False

    def text(self, text: str) -> None:
        """Take what stands in the template."""
        self.parts.append(text)
        position = 0
        while position < len(text):
            position = self._states[self._state](self, text, position)

    def value(self, value: object) -> int:
        """Take a value, escaped; return how many characters it became."""
        shown = self._escaped(value)
        self._is_begun = self._is_begun or bool(shown)
        self.parts.append(shown)
        return len(shown)

    # Where the page is

    def _text(self, text: str, position: int) -> int:
        match = _TAG.search(text, position)
        if match is None:
            return len(text)
        if match["comment"]:
            self._state = "comment"
        else:
            self._state, self._element = "tag", match["name"].lower()
        return match.end()

    def _comment(self, text: str, position: int) -> int:
        end = text.find("-->", position)
        if end < 0:
            return len(text)
        self._state = "text"
        return end + 3

    def _tag(self, text: str, position: int) -> int:
        match = _ATTRIBUTE.match(text, position)
        if match is None:
            return len(text)
        if match["end"]:
            self._state = "raw" if self._element in _RAW else "text"
        elif match["equals"]:
            self._attribute, self._quote = match["name"].lower(), match["quote"]
            self._state, self._is_begun, self._is_query = "value", False, False
        return match.end()

    def _attribute_value(self, text: str, position: int) -> int:
        end = re.compile(re.escape(self._quote) if self._quote else r"[\s>]").search(text, position)
        own = text[position:] if end is None else text[position : end.start()]
        self._is_begun = self._is_begun or bool(own.strip("\"' "))
        self._is_query = self._is_query or "?" in own or "#" in own
        if end is None:
            return len(text)
        self._state = "tag"
        return end.end() if self._quote else end.start()

    def _raw(self, text: str, position: int) -> int:
        end = re.compile(f"</{self._element}", re.IGNORECASE).search(text, position)
        if end is None:
            return len(text)
        self._state, self._element = "tag", "/" + self._element
        return end.end()

    _states: ClassVar[Mapping[str, Callable[[HtmlOutput, str, int], int]]] = {
        "text": _text,
        "comment": _comment,
        "tag": _tag,
        "value": _attribute_value,
        "raw": _raw,
    }

    # How a value stands there

    def _escaped(self, value: object) -> str:
        shown = "" if value is None else show(value)
        if self._state == "text":
            return shown if isinstance(value, SafeHtml) else _plain(shown)
        if self._state == "value":
            return self._in_attribute(value, _MARKUP.sub("", shown) if isinstance(value, SafeHtml) else shown)
        if self._state == "raw":
            return self._in_raw(value, shown)
        if self._state == "comment":
            return ""
        return shown if re.fullmatch(r"[A-Za-z0-9-]+", shown) and not _is_active(shown) else REFUSED

    def _in_attribute(self, value: object, shown: str) -> str:
        name = self._attribute.removeprefix("data-").rpartition(":")[2]
        if name.startswith("on"):
            return _attribute(_script(value, shown), self._quote)
        if name == "style":
            return _attribute(shown, self._quote) if _CSS_SAFE.fullmatch(shown) else REFUSED
        if name in _ADDRESSES or "url" in name or "uri" in name:
            return _attribute(self._address(shown), self._quote)
        if name in ("srcset", "srcdoc"):
            return REFUSED
        return _attribute(shown, self._quote, is_html=isinstance(value, SafeHtml))

    def _address(self, shown: str) -> str:
        if self._is_query:
            return quote(shown, safe="", errors="replace")
        if self._is_begun:
            return quote(shown, safe=_ADDRESS_SIGNS, errors="replace")
        scheme = _SCHEME.match(shown)
        if scheme and scheme[1].strip().lower() not in _SAFE_SCHEMES:
            return "#" + REFUSED
        return quote(shown, safe=_ADDRESS_SIGNS, errors="replace")

    def _in_raw(self, value: object, shown: str) -> str:
        if self._element == "script":
            return _script(value, shown)
        if self._element == "style":
            return shown if _CSS_SAFE.fullmatch(shown) else REFUSED
        return _plain(shown)


def _plain(text: str) -> str:
    return escape_html(text).replace("+", "&#43;")


def _is_active(name: str) -> bool:
    lowered = name.lower()
    return lowered.startswith("on") or lowered in _ADDRESSES or lowered in ("style", "srcdoc", "srcset")


def _attribute(text: str, quotes: str, *, is_html: bool = False) -> str:
    """Return a text as the value of an attribute; the entities of what is HTML already stay."""
    escaped = _plain(text).replace("&amp;", "&") if is_html else _plain(text)
    if quotes:
        return escaped
    if not escaped:
        return REFUSED
    return re.sub(r"[\s=`]", lambda match: f"&#{ord(match[0])};", escaped)


def _script(value: object, shown: str) -> str:
    """Return a value that stays what it is in JavaScript, in a string or not: a number, or a text without any signs."""
    if isinstance(value, bool | int | float) and shown.lstrip("-").replace(".", "").isalnum():
        return shown
    return re.sub(r"[^A-Za-z0-9 _.,-]", lambda match: _unicode_escape(match[0]), shown)


def _unicode_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))
