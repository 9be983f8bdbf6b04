"""Functions that every template of Go has."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from alerting.template.error import CallError
from alerting.template.go_format import join_line, join_values, sprintf
from alerting.template.value import NO_VALUE, Function, Object, StringMap, is_list, is_true, type_name

_HTML = {
    ord("\0"): "\ufffd",
    ord('"'): "&#34;",
    ord("'"): "&#39;",
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
}
_JS = {ord("\\"): "\\\\", ord("'"): "\\'", ord('"'): '\\"', ord("<"): "\\u003C", ord(">"): "\\u003E",
       ord("&"): "\\u0026", ord("="): "\\u003D"}  # fmt: skip


def escape_html(text: str) -> str:
    """Return a text as it stands in HTML, in or out of quotes."""
    return text.translate(_HTML)


def escape_js(text: str) -> str:
    """Return a text as it stands in a string of JavaScript."""
    shown = text.translate(_JS)
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() else f"\\u{ord(one):04X}" for one in shown)


def quote_url(text: str) -> str:
    """Return a text as it stands in the query of an address."""
    return quote_plus(text, errors="replace")


def _joined(escape: Callable[[str], str]) -> Callable[..., str]:
    def join(*values: object) -> str:
        if len(values) == 1 and isinstance(values[0], str):
            return escape(values[0])
        return escape(join_values([NO_VALUE if value is None else value for value in values]))

    return join


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict) or is_list(value):
        return len(value)
    raise CallError(f"a {type_name(value)} has no length")


def _index(value: object, *keys: object) -> object:
    for key in keys:
        value = _item(value, key)
    return value


def _item(value: object, key: object) -> object:
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise CallError(f"a {type_name(value)} is indexed by texts, not by a {type_name(key)}")
        return value.get(key, "" if isinstance(value, StringMap) else None)
    items: Sequence[object]
    if isinstance(value, str):
        items = value.encode("utf-8", "surrogatepass")
    elif is_list(value):
        items = value
    else:
        raise CallError(f"a {type_name(value)} cannot be indexed")
    if isinstance(key, bool) or not isinstance(key, int):
        raise CallError(f"an index must be a whole number, not a {type_name(key)}")
    if not 0 <= key < len(items):
        raise CallError(f"index {key} is out of range: there are {len(items)}")
    return items[key]


def _slice(value: object, *bounds: int) -> object:
    if len(bounds) > 3:
        raise CallError("takes at most three bounds")
    if isinstance(value, str):
        if len(bounds) == 3:
            raise CallError("a text takes two bounds")
        data = value.encode("utf-8", "surrogatepass")
        low, high = _bounds(bounds, len(data))
        return data[low:high].decode("utf-8", "replace")
    if not is_list(value):
        raise CallError(f"a {type_name(value)} cannot be sliced")
    low, high = _bounds(bounds, len(value))
    return value[low:high]


def _bounds(bounds: Sequence[int], length: int) -> tuple[int, int]:
    low, high, most = [*bounds, *(0, length, length)[len(bounds) :]]
    if not 0 <= low <= high <= most <= length:
        raise CallError(f"bounds {', '.join(map(str, bounds))} are out of range: there are {length}")
    return low, high


def _kind(value: object) -> str:
    """Return what a value can be compared with; numbers compare with each other."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float) or hasattr(value, "template_number"):
        return "number"
    if isinstance(value, str):
        return "string"
    return "time" if isinstance(value, Object) else ""


def _plain(value: object) -> object:
    return getattr(value, "template_number", value)


def _equal(first: object, *others: object) -> bool:
    for other in others:
        kinds = _kind(first), _kind(other)
        if "" in kinds:
            raise CallError(f"a {type_name(first if not kinds[0] else other)} cannot be compared")
        if "nil" not in kinds and kinds[0] != kinds[1]:
            raise CallError(f"a {type_name(first)} cannot be compared with a {type_name(other)}")
        if _plain(first) == _plain(other):
            return True
    return False


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def decide(first: object, second: object) -> bool:
        kinds = _kind(first), _kind(second)
        if kinds[0] != kinds[1] or kinds[0] not in ("number", "string"):
            raise CallError(f"the order of a {type_name(first)} and a {type_name(second)} is not known")
        return compare(_plain(first), _plain(second))

    return decide


def _printf(form: str, *values: object) -> str:
    return sprintf(form, values)


BUILTINS: Mapping[str, Function] = {
    "and": Function(lambda *values: values[-1], ("any",), "any"),
    "or": Function(lambda *values: values[-1], ("any",), "any"),
    "not": Function(lambda value: not is_true(value), ("any",)),
    "len": Function(_length, ("any",)),
    "index": Function(_index, ("any",), "any"),
    "slice": Function(_slice, ("any",), "int"),
    "print": Function(lambda *values: join_values(values), (), "any"),
    "println": Function(lambda *values: join_line(values), (), "any"),
    "printf": Function(_printf, ("string",), "any"),
    "html": Function(_joined(escape_html), (), "any"),
    "js": Function(_joined(escape_js), (), "any"),
    "urlquery": Function(_joined(quote_url), (), "any"),
    "eq": Function(_equal, ("any", "any"), "any"),
    "ne": Function(lambda first, second: not _equal(first, second), ("any", "any")),
    "lt": Function(_ordered(operator.lt), ("any", "any")),
    "le": Function(_ordered(operator.le), ("any", "any")),
    "gt": Function(_ordered(operator.gt), ("any", "any")),
    "ge": Function(_ordered(operator.ge), ("any", "any")),
}
"""`and` and `or` are decided by the evaluator, which does not look further than it must."""
