"""Typed configuration sections, and their mistakes with file, line, column, path and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import UnionType
from typing import Annotated, Any, Self, TypeVar, Union, cast, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from core.duration import format_duration, parse_duration
from core.errors import ConfigError, Problem, UserError
from core.yaml_file import Document, Path_, dotted


@dataclass(frozen=True, slots=True)
class NotUsed:
    """Marks a key of another tool's format that is accepted and has no effect; `why` says so, with the remedy."""

    why: str


@dataclass(frozen=True, slots=True)
class Advised:
    """Marks a key that works and of which a check of the file says something all the same; `why` says it."""

    why: str


@dataclass(frozen=True, slots=True)
class LaterSections:
    """Marks a list of sections whose model is imported only where a file has some of them, or one such section.

    Attributes:
        place: of the model, `package.module:Class`.
        is_list: whether the key holds a list of them (`list[Any]`), rather than one (`Any`).
    """

    place: str
    is_list: bool = True

    def model(self) -> type[BaseModel]:
        """Return the model of the list's items."""
        module, _, name = self.place.partition(":")
        found: type[BaseModel] = getattr(import_module(module), name)
        return found

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def _validate(self, value: object, info: ValidationInfo) -> object:
        if not self.is_list:
            return value if value is None else self.model().model_validate(value, context=info.context)
        if not isinstance(value, list):
            raise ValueError("is no list; write '- ' before its first line")  # noqa: TRY004 - a mistake of the file
        # A ValidationError in a validator keeps its paths: pydantic puts them below this one.
        kind: Any = list.__class_getitem__(self.model())
        sections: TypeAdapter[list[BaseModel]] = TypeAdapter(kind)
        return sections.validate_python(value, context=info.context)


class Section(BaseModel):
    """A part of a config file: unknown keys are refused, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def defaults(cls) -> Self:
        """Return the section of a file without it: what its own code says needs no validator, which takes 3 ms."""
        return cast(Self, cls.model_construct())


class SparseSection(Section):
    """A section whose keys may stand without a value (`rule_files:` and only comments below), which is as if absent."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: object) -> object:
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data


SectionT = TypeVar("SectionT", bound=BaseModel)


def _duration(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except UserError as error:
            raise ValueError(str(error)) from None
    from_file = bool(info.context)
    if from_file and isinstance(value, bool | int | float) and value != 0:
        raise ValueError(f"{value!r} has no unit; write a duration such as 30s, 5m or 1h30m")
    return value


DURATION_MARK = BeforeValidator(_duration)
"""What makes a number of seconds a duration; the reference of the config file looks for it."""

Duration = Annotated[float, DURATION_MARK, PlainSerializer(format_duration, return_type=str, when_used="json")]
"""Seconds; in a file, a duration as Prometheus writes it."""


class InnerError(ValueError):
    """What a validator raises that found mistakes deeper inside the value it was given, so that each has its place.

    Args:
        mistakes: of each, the path from the value to its place, and the message.
    """

    def __init__(self, mistakes: Sequence[tuple[Path_, str]]) -> None:
        super().__init__("; ".join(f"{dotted(path)}: {message}" for path, message in mistakes))
        self.mistakes = tuple(mistakes)


def config_error(path: Path_, message: str) -> ConfigError:
    """Return the error for the value at `path` of the config file, whose name only the daemon knows."""
    return ConfigError([Problem("config", 0, 0, dotted(path), message)])


def validate(document: Document, model: type[SectionT], *, path: Path_ = ()) -> SectionT:
    """Return the document's data (or the part at `path`) as `model`.

    Raises: ConfigError: every mistake in it, in the order of the file.
    """
    data: Any = document.data
    for part in path:
        data = data[part]
    try:
        return model.model_validate(data, context={"file": document.file})
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [problem for details in found for problem in _problems(document, model, path, details)]
        unique = dict.fromkeys(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        raise ConfigError(list(unique)) from None


def unused(document: Document, section: BaseModel, path: Path_ = ()) -> list[Problem]:
    """Return a note for each key in a validated document that has no effect or an advice, so that none is silent."""
    found: list[Problem] = []
    for name in section.model_fields_set:
        field = type(section).model_fields[name]
        here = (*path, field.alias or name)
        notes = [mark for mark in field.metadata if isinstance(mark, NotUsed | Advised)]
        found += [document.problem(here, mark.why, key=True) for mark in notes]
        for inner, inner_path in _sections_in(getattr(section, name), here):
            found += unused(document, inner, inner_path)
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def _sections_in(value: object, path: Path_) -> Iterator[tuple[BaseModel, Path_]]:
    if isinstance(value, BaseModel):
        yield value, path
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _sections_in(item, (*path, index))


def _problems(document: Document, model: type[BaseModel], path: Path_, details: ErrorDetails) -> Iterator[Problem]:
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, InnerError):
        location = path + _strip_variants(document, path, tuple(details["loc"]), keep_last=False)
        yield from (document.problem(location + inner, message) for inner, message in cause.mistakes)
    else:
        yield _problem(document, model, path, details)


def _problem(document: Document, model: type[BaseModel], path: Path_, details: ErrorDetails) -> Problem:
    kind = details["type"]
    absent = kind in ("missing", "extra_forbidden")
    location = _strip_variants(document, path, tuple(details["loc"]), keep_last=absent)
    if kind == "extra_forbidden":
        return document.problem(path + location, _unknown_key(model, location), key=True)
    if kind == "missing":
        return document.problem(path + location, "is required; add it")
    if kind == "value_error":
        return document.problem(path + location, details["msg"].removeprefix("Value error, "))
    value = details.get("input")
    shown = f" (it is {value!r})" if isinstance(value, str | int | float | bool) and len(repr(value)) <= 80 else ""
    message = details["msg"].replace("Input should", "should")
    return document.problem(path + location, message[0].lower() + message[1:] + shown)


def _strip_variants(document: Document, path: Path_, location: Path_, *, keep_last: bool) -> Path_:
    """Drop the names of union members, which pydantic puts into a location but which no file contains."""
    kept: Path_ = ()
    for index, part in enumerate(location):
        if (*path, *kept, part) in document.values or (keep_last and index == len(location) - 1):
            kept = (*kept, part)
    return kept


def _unknown_key(model: type[BaseModel], location: Path_) -> str:
    parents = _models_at([model], location[:-1])
    known = sorted({field.alias or name for parent in parents for name, field in parent.model_fields.items()})
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    if near:
        return f"unknown key; did you mean {near[0]!r}?"
    return f"unknown key; known here: {', '.join(known)}" if known else "unknown key; remove it"


def _models_at(types: Sequence[Any], location: Path_) -> list[type[BaseModel]]:
    """Return the models that a value at `location` could be of, following fields, lists, mappings and unions."""
    found = [kind for kind in _expand(types) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    if not location:
        return found
    inner: list[Any] = []
    for kind in _expand(types):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = [f for name, f in kind.model_fields.items() if location[0] in (name, f.alias)]
            inner += [f.annotation for f in fields]
            later = [mark for f in fields for mark in f.metadata if isinstance(mark, LaterSections)]
            inner += [list.__class_getitem__(mark.model()) if mark.is_list else mark.model() for mark in later]
        elif get_args(kind):
            inner.append(get_args(kind)[-1 if get_origin(kind) is dict else 0])
    return _models_at(inner, location[1:])


def _expand(types: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for kind in types:
        origin = get_origin(kind)
        if origin is Annotated:
            flat += _expand([get_args(kind)[0]])
        elif origin in (Union, UnionType):
            flat += _expand(get_args(kind))
        else:
            flat.append(kind)
    return flat
