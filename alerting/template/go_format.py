"""Values as text, as Go's package fmt prints them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alerting.go_text import quote
from alerting.template.number import format_number, shortest, special
from alerting.template.value import Object, is_list, type_name

MAX_WIDTH = 1_000_000
"""As in Go; a wider field is no field."""

_BASES = {"d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_MARKS = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}
_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<index1>\[\d+\])?(?P<width>\*|\d*)"
    r"(?:\.(?P<index2>\[\d+\])?(?P<precision>\*|\d*))?(?P<index3>\[\d+\])?(?P<verb>.?)",
    re.DOTALL,
)


@dataclass(slots=True)
class _Form:
    """How one value is to be printed."""

    verb: str = "v"
    flags: str = ""
    width: int = 0
    precision: int | None = None

    def pad(self, text: str, *, zeros: bool = True) -> str:
        if "-" in self.flags:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if zeros and "0" in self.flags else " ")


def show(value: object) -> str:
    """Return a value as it appears in a rendered template."""
    if type(value) is str:
        return value
    if type(value) is float:
        return format_number(value)
    return _format(value, _Form())


def join_values(values: Sequence[object]) -> str:
    """Return values one after the other, with a space between two that are no texts (Go's Sprint)."""
    out: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            out.append(" ")
        out.append(_argument(value, _Form()))
    return "".join(out)


def join_line(values: Sequence[object]) -> str:
    """Return values with a space between each two, and a line break (Go's Sprintln)."""
    return " ".join(_argument(value, _Form()) for value in values) + "\n"


def sprintf(form: str, values: Sequence[object]) -> str:
    """Return a text in which verbs such as %s and %.2f are replaced by values.

    A mistake appears in the text, as in Go: `%!d(string=x)`, `%!s(MISSING)`.
    """
    return _Printer(values).run(form)


class _Printer:
    def __init__(self, values: Sequence[object]) -> None:
        self._values = values
        self._next = 0
        self._reordered = False
        self._is_bad = False

    def run(self, form: str) -> str:
        shown = _VERB.sub(self._verb, form)
        if not self._reordered and self._next < len(self._values):
            extra = ", ".join(
                "<nil>" if value is None else f"{type_name(value)}={show(value)}"
                for value in self._values[self._next :]
            )
            shown += f"%!(EXTRA {extra})"
        return shown

    def _verb(self, match: re.Match[str]) -> str:
        self._is_bad = False
        verb = match["verb"]
        form, notes = self._form(match)
        if not verb:
            return notes + "%!(NOVERB)"
        if verb == "%":
            return notes + "%"
        if self._is_bad:
            return f"{notes}%!{verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"{notes}%!{verb}(MISSING)"
        return notes + _argument(self._take(), form)

    def _form(self, match: re.Match[str]) -> tuple[_Form, str]:
        notes = ""
        flags = match["flags"]
        form = _Form(match["verb"], flags)
        self._move(match["index1"])
        width = self._size(match["width"])
        if match["width"] == "*":
            notes += "%!(BADWIDTH)" if width is None else ""
            if width is not None and width < 0:
                form.flags, width = flags + "-", -width
        form.width = width or 0
        if match["precision"] is not None:
            self._move(match["index2"])
            form.precision = self._size(match["precision"] or "0")
            if form.precision is None or form.precision < 0:
                notes += "%!(BADPREC)" if form.precision is None else ""
                form.precision = None
        self._move(match["index3"])
        return form, notes

    def _move(self, index: str | None) -> None:
        if index:
            self._reordered = True
            place = int(index[1:-1][:9]) - 1
            self._is_bad = self._is_bad or not 0 <= place < len(self._values)
            self._next = place

    def _size(self, text: str) -> int | None:
        if text != "*":
            return min(int(text[:9] or "0"), MAX_WIDTH)
        if self._is_bad or self._next >= len(self._values):
            return None
        value = self._take()
        is_size = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WIDTH
        return value if is_size else None  # type: ignore[return-value]

    def _take(self) -> object:
        self._next += 1
        return self._values[self._next - 1]


def _argument(value: object, form: _Form) -> str:
    if form.verb == "T":
        return form.pad(type_name(value))
    if value is None:
        return form.pad("<nil>") if form.verb == "v" else f"%!{form.verb}(<nil>)"
    return _format(value, form)


def _format(value: object, form: _Form) -> str:
    stringer = getattr(value, "template_text", None)
    if stringer is not None and form.verb in "vsxXq":
        return _format_text(stringer(), form)
    number = getattr(value, "template_number", None)
    if number is not None:
        return _format_integer(number, form, value)
    if isinstance(value, bool):
        return form.pad("true" if value else "false", zeros=False) if form.verb in "vt" else _bad(value, form)
    if isinstance(value, int):
        return _format_integer(value, form, value)
    if isinstance(value, float):
        return _format_float(value, form)
    if isinstance(value, str):
        return _format_text(value, form)
    if value is None:
        return form.pad("<nil>")
    return _format_many(value, form)


def _bad(value: object, form: _Form) -> str:
    return f"%!{form.verb}({type_name(value)}={show(value)})"


def _format_many(value: object, form: _Form) -> str:
    if is_list(value):
        return "[" + " ".join(_format(one, form) for one in value) + "]"
    if isinstance(value, Mapping):
        parts = (f"{_format(key, form)}:{_format(value[key], form)}" for key in sorted(value))
        return "map[" + " ".join(parts) + "]"
    if isinstance(value, Object):
        named = "+" in form.flags or "#" in form.flags
        fields = ((name, _format(getter(value), form)) for name, getter in type(value).template_fields.items())
        return "{" + " ".join(f"{name}:{text}" if named else text for name, text in fields) + "}"
    return form.pad(str(value))


def _format_text(text: str, form: _Form) -> str:
    if form.precision is not None and form.verb in "vsq":
        text = text[: form.precision]
    if form.verb == "q" or (form.verb == "v" and "#" in form.flags):
        is_raw = form.verb == "q" and "#" in form.flags and "`" not in text
        return form.pad(
            f"`{text}`" if is_raw and (text.isprintable() or not text) else quote(text, is_ascii="+" in form.flags)
        )
    if form.verb in "vs":
        return form.pad(text)
    if form.verb in "xX":
        data = text.encode("utf-8", "surrogatepass")[: form.precision]
        digits = data.hex(" ") if " " in form.flags else data.hex()
        marked = "0x" + digits.replace(" ", " 0x") if "#" in form.flags and digits else digits
        return form.pad(marked.upper() if form.verb == "X" else marked)
    return f"%!{form.verb}(string={text})"


def _format_integer(number: int, form: _Form, value: object) -> str:
    verb = "d" if form.verb == "v" else form.verb
    if verb in "cqU":
        return _format_character(number, verb, form)
    if verb not in _BASES:
        return _bad(value, form)
    digits = format(abs(number), _BASES[verb])
    if form.precision is not None:
        digits = "" if form.precision == 0 and number == 0 else digits.zfill(form.precision)
    mark = "0o" if verb == "O" else _MARKS.get(verb, "") if "#" in form.flags else ""
    return _signed("-" if number < 0 else "", mark + digits, form, fills=form.precision is None)


def _format_character(number: int, verb: str, form: _Form) -> str:
    character = chr(number) if 0 <= number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\ufffd"
    if verb == "c":
        return form.pad(character)
    if verb == "U":
        shown = f"U+{number & 0xFFFFFFFFFFFFFFFF:04X}" + (
            f" '{character}'" if "#" in form.flags and character.isprintable() else ""
        )
        return form.pad(shown, zeros=False)
    inner = "\\'" if character == "'" else character if character == '"' else quote(character)[1:-1]
    return form.pad(f"'{inner}'")


def _signed(sign: str, digits: str, form: _Form, *, fills: bool = True) -> str:
    sign = sign or ("+" if "+" in form.flags else " " if " " in form.flags else "")
    if fills and "0" in form.flags and "-" not in form.flags:
        digits = digits.zfill(form.width - len(sign))
    return form.pad(sign + digits, zeros=False)


def _format_float(value: float, form: _Form) -> str:
    shapes: dict[str, Callable[[], str]] = {
        "v": lambda: _general(value, form.precision),
        "g": lambda: _general(value, form.precision),
        "G": lambda: _general(value, form.precision).upper(),
        "e": lambda: f"{value:.{6 if form.precision is None else form.precision}e}",
        "E": lambda: f"{value:.{6 if form.precision is None else form.precision}E}",
        "f": lambda: f"{value:.{6 if form.precision is None else form.precision}f}",
        "F": lambda: f"{value:.{6 if form.precision is None else form.precision}f}",
    }
    if form.verb not in shapes:
        return _bad(value, form)
    word = special(value)
    if word:
        shown = word if word != "NaN" or "+" not in form.flags else "+NaN"
        if " " in form.flags and "+" not in form.flags:
            shown = " " + shown.lstrip("+") if not shown.startswith("-") else shown
        return form.pad(shown, zeros=False)
    if form.precision is not None:
        form.precision = min(form.precision, 1100)  # more digits than any float has
    text = shapes[form.verb]()
    sign = "-" if text.startswith("-") else ""
    return _signed(sign, text.removeprefix("-"), form)


def _general(value: float, precision: int | None) -> str:
    if precision is None:
        return shortest(value)
    return f"{value:.{precision or 1}g}"
