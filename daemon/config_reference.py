"""The configuration reference, written from the models themselves so that it cannot be wrong.

`python -m daemon.config_reference` prints docs/configuration.md; a test holds the file to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from core.config import DURATION_MARK, LaterSections, NotUsed
from core.duration import format_duration
from daemon.config import config_model

_HEAD = """\
# Configuration reference

Generated from the code by `python -m daemon.config_reference`; a test keeps it true. A file is YAML; unknown keys are
mistakes; `watchkeeper check FILE` names every mistake with its place. Without a file the defaults below hold.

A duration is written as in Prometheus: `30s`, `5m`, `1h30m`. `[]` stands for each item of a list, `NAME` for each key
of a mapping. Paths are relative to the config file.
"""


def reference() -> str:
    """Return the whole reference as Markdown."""
    parts = [_HEAD]
    for name, field in sorted(config_model().model_fields.items()):
        if _is_supported(field):
            parts.append(_section(field.alias or name, field))
    return "\n".join(parts)


def _section(key: str, field: FieldInfo) -> str:
    lines = [f"## {key}", "", f"{field.description or _doc(field)}", "", f"Default: {_default(field)}.", ""]
    rows = [row for model, path in _models(field, key) for row in _rows(model, path)]
    if rows:
        lines += ["| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(model: type[BaseModel], path: str, above: tuple[type[BaseModel], ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        here = f"{path}.{field.alias or name}"
        if not _is_supported(field):
            continue
        example = f" Example: {_code(field.examples[0])}." if field.examples else ""
        meaning = f"{field.description or ''}{example}".replace("|", "\\|").replace("\n", " ")
        kind = _kind(_annotation(field)).replace("|", "\\|")
        yield f"| `{here}` | {kind} | {_default(field)} | {meaning} |"
        for inner, inner_path in _models(field, here):
            if inner not in (model, *above):  # a section that contains itself is told once
                yield from _rows(inner, inner_path, (model, *above))


def _is_supported(field: FieldInfo) -> bool:
    """Leave out keys of other tools' formats that exist only to be refused by name."""
    return field.annotation is not type(None) and not any(isinstance(mark, NotUsed) for mark in field.metadata)


def _models(field: FieldInfo, path: str) -> Iterator[tuple[type[BaseModel], str]]:
    yield from _models_in(field.annotation, path)
    for mark in field.metadata:
        if isinstance(mark, LaterSections):
            yield mark.model(), f"{path}[]" if mark.is_list else path


def _models_in(annotation: Any, path: str) -> Iterator[tuple[type[BaseModel], str]]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _models_in(get_args(annotation)[0], path)
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _models_in(part, path)
    elif origin in (list, tuple):
        yield from _models_in(get_args(annotation)[0], f"{path}[]")
    elif origin is dict:
        yield from _models_in(get_args(annotation)[1], f"{path}.NAME")
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, path


def _annotation(field: FieldInfo) -> Any:
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        later = next((mark for mark in metadata if isinstance(mark, LaterSections)), None)
        if later is not None:
            return "list of section" if later.is_list else "section"
        return "duration" if any(mark is DURATION_MARK for mark in metadata) else _kind(inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in get_args(annotation) if part is not type(None)))
    if origin in (list, tuple):
        return f"list of {_kind(get_args(annotation)[0])}"
    if origin is dict:
        return f"mapping to {_kind(get_args(annotation)[1])}"
    if get_args(annotation):
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    names = {str: "text", int: "number", float: "number", bool: "true or false"}
    if isinstance(annotation, type) and issubclass(annotation, SecretStr):
        return "text"
    return names.get(annotation, "text" if isinstance(annotation, type) else "any")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "none"
    if _kind(_annotation(field)) == "duration" and isinstance(value, int | float):
        return f"`{format_duration(value)}`"
    if isinstance(value, BaseModel) or (isinstance(value, list | tuple | dict) and not value):
        return "as below" if isinstance(value, BaseModel) else "empty"
    return _code(value)


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return f"`{text}`".replace("|", "\\|")


def _doc(field: FieldInfo) -> str:
    models = list(_models(field, ""))
    return (models[0][0].__doc__ or "").strip().splitlines()[0] if models else ""


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - it is what the module is run for
