"""RE2 patterns, as PromQL has them, for Python's re module."""

from __future__ import annotations

import re

from metrics.pattern import compile_pattern

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_FLAGS = re.compile(r"\(\?([imsU-]+)\)")
_POSIX = re.compile(r"\[:([a-z]+):\]")
_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_REFUSED = (
    (re.compile(r"\(\?<?[=!]"), "look-around is"),
    (re.compile(r"\(\?>"), "an atomic group is"),
    (re.compile(r"\\[1-9]"), "a back-reference is"),
    (re.compile(r"\\[pP]"), "a Unicode class (\\p) is"),
)


def translate(pattern: str) -> str:
    r"""Return a pattern that Python understands as RE2 would: mid-pattern flags, [[:alpha:]], \Q…\E and \z.

    Raises: ValueError: with the reason; the pattern is wrong, or has what RE2 or we do not have.
    """
    plain = _QUOTED.sub(lambda match: re.escape(match[1]), pattern)
    for refused, what in _REFUSED:
        if refused.search(plain.replace("\\\\", "")):
            raise ValueError(f"{what} not supported in a regular expression")
    translated = _scope_flags(_posix_classes(plain).replace(r"\z", r"\Z"))
    compile_pattern(translated)
    return translated


def _posix_classes(pattern: str) -> str:
    return _POSIX.sub(lambda match: _CLASSES.get(match[1], match[0]), pattern)


def _scope_flags(pattern: str) -> str:
    """Turn `(?i)rest` into `(?i:rest)`, which ends where the group around it ends."""
    if not _FLAGS.search(pattern):
        return pattern
    out: list[str] = []
    owed = [0]  # how many groups were opened by flags, for each group that the pattern opened
    position, in_class = 0, False
    while position < len(pattern):
        character = pattern[position]
        flags = None if in_class else _FLAGS.match(pattern, position)
        if character == "\\":
            out.append(pattern[position : position + 2])
            position += 2
            continue
        if flags:
            out.append(f"(?{flags[1].replace('U', '')}:")
            owed[-1] += 1
            position = flags.end()
            continue
        if not in_class and character == "(":
            owed.append(0)
        elif not in_class and character == ")" and len(owed) > 1:
            out.append(")" * owed.pop())
        elif character == "[":
            in_class = True
        elif character == "]":
            in_class = False
        out.append(character)
        position += 1
    return "".join(out) + ")" * sum(owed)
