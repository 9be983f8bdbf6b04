"""Values as templates see them, and what Go calls their types.

Plain Python values stand for Go's own: None, bool, int, float64 as float, string as str, slices as list or tuple,
map[string]interface{} as dict. A class of ours says by `template_type`, `template_fields` and `template_methods` what
templates may see of it; nothing else of any object is ever reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeGuard

from alerting.template.error import CallError


@dataclass(frozen=True, slots=True)
class Function:
    """What a template can call.

    Attributes:
        call: gets the arguments; may raise CallError.
        parameters: what each argument must be: any, string, int, float, list, strings, time or duration.
        rest: the same for all further arguments; None where there must be none.
        optional: how many of the parameters may be left out.
    """

    call: Callable[..., object]
    parameters: tuple[str, ...] = ()
    rest: str | None = None
    optional: int = 0

    def takes(self, count: int) -> bool:
        """Return whether it can be called with so many arguments."""
        least = len(self.parameters) - self.optional
        return count >= least and (self.rest is not None or count <= len(self.parameters))

    def expected(self) -> str:
        """Return how many arguments it takes, as text."""
        most = len(self.parameters)
        least = most - self.optional
        count = f"{least}" if least == most else f"{least} to {most}"
        return f"at least {least}" if self.rest is not None else count


class Described(Protocol):
    """A value that says what templates may see of it."""

    template_type: ClassVar[str]


class Object:
    """A value with fields and methods, Go's struct.

    `template_fields` are in the order in which they are printed; `template_extras` are not printed.
    """

    __slots__ = ()
    template_type: ClassVar[str]
    template_fields: ClassVar[Mapping[str, Callable[[Any], object]]] = {}
    template_extras: ClassVar[Mapping[str, Callable[[Any], object]]] = {}
    template_methods: ClassVar[Mapping[str, Function]] = {}


class StringMap(dict[str, str]):
    """Texts by name; a name that is not there reads as an empty text."""

    __slots__ = ()
    template_type: ClassVar[str] = "map[string]string"


class SafeHtml(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()
    template_type: ClassVar[str] = "template.HTML"


NO_VALUE = "<no value>"


def type_name(value: object) -> str:
    """Return what Go calls the type of a value."""
    own = getattr(type(value), "template_type", None)
    if own is not None:
        return str(own)
    if value is None:
        return "<nil>"
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, list | tuple):
        return "[]string" if value and all(isinstance(one, str) for one in value) else "[]interface {}"
    return {bool: "bool", int: "int", float: "float64", str: "string"}.get(type(value), type(value).__name__)


def is_list(value: object) -> TypeGuard[Sequence[object]]:
    """Return whether a value is a slice."""
    return isinstance(value, list | tuple)


def is_true(value: object) -> bool:
    """Return whether a value counts as true: it is not empty, and not zero."""
    if isinstance(value, Object):
        return not hasattr(value, "template_number") or bool(value.template_number)
    return bool(value)


def visible(value: object, name: str) -> tuple[object, Function | None]:
    """Return a field's value, or the method of that name.

    Raises: CallError: there is neither.
    """
    kind = type(value)
    method = getattr(kind, "template_methods", {}).get(name)
    if method is not None:
        return None, method
    if isinstance(value, dict):
        return value.get(name, "" if isinstance(value, StringMap) else None), None
    getter = getattr(kind, "template_fields", {}).get(name) or getattr(kind, "template_extras", {}).get(name)
    if getter is None:
        raise CallError(_no_field(value, name))
    return getter(value), None


def _no_field(value: object, name: str) -> str:
    if value is None:
        return f"there is no value to take the field {name!r} of"
    kind = type(value)
    parts = ("template_fields", "template_extras", "template_methods")
    known = [one for part in parts for one in getattr(kind, part, {})]
    remedy = f"; known are {', '.join(known)}" if known else ""
    return f"a {type_name(value)} has no field {name!r}{remedy}"
