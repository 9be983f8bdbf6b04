"""Functions that templates of rules have in Prometheus."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar
from urllib.parse import quote_plus, urlsplit

from alerting.template.budget import Budget
from alerting.template.builtin import BUILTINS
from alerting.template.error import CallError
from alerting.template.evaluate import Evaluator
from alerting.template.go_time import SECOND, Duration
from alerting.template.humanize import HUMANIZE_FUNCTIONS, to_number
from alerting.template.node import Definition
from alerting.template.output import Output
from alerting.template.surroundings import Surroundings
from alerting.template.text_function import TEXT_FUNCTIONS
from alerting.template.value import Function, Object, StringMap, is_list
from core.duration import parse_duration
from core.errors import WatchkeeperError
from metrics.promql.parse import Expression, parse
from metrics.promql.result import Result, Scalar, Vector

MAX_QUERIES = 20
"""So often one rendering may ask."""

MAX_SERIES = 10_000
"""So many series one answer may have."""


@dataclass(frozen=True, slots=True)
class Sample(Object):
    """One series of an answer."""

    labels: StringMap
    value: float

    template_type: ClassVar[str] = "sample"
    template_fields: ClassVar[Mapping[str, Callable[[Sample], object]]] = {
        "Labels": lambda sample: sample.labels,
        "Value": lambda sample: sample.value,
    }


def _sample(value: object) -> Sample:
    if not isinstance(value, Sample):
        raise CallError('takes one sample, such as `query "up" | first`')
    return value


def _first(samples: object) -> object:
    if not is_list(samples) or not samples:
        raise CallError("the answer is empty; ask with `with query …` first")
    return samples[0]


def _sort_by_label(name: str, samples: list[object]) -> list[object]:
    return sorted(samples, key=lambda sample: _sample(sample).labels.get(name, ""))


def _split_port(address: str) -> tuple[str, str] | None:
    """Return host and port of an address; None where it is not of that form."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return None
    if host.startswith("["):
        return (host[1:-1], port) if host.endswith("]") and "[" not in host[1:] and "]" not in host[:-1] else None
    return None if any(sign in host for sign in ":[]") or any(sign in port for sign in "[]") else (host, port)


def _strip_port(address: str) -> str:
    parts = _split_port(address)
    return address if parts is None else parts[0]


def _strip_domain(address: str) -> str:
    host, port = _split_port(address) or (address, "")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        short = host.partition(".")[0]
        shown = f"[{short}]" if ":" in short else short
        return f"{shown}:{port}" if port else short
    return address


def _parse_duration(text: str) -> float:
    try:
        return parse_duration(text)
    except (ValueError, WatchkeeperError) as error:
        raise CallError(str(error)) from None


def _unbound(*_arguments: object) -> object:
    raise CallError("is not known here")


RULE_FUNCTIONS: Mapping[str, Function] = {
    **BUILTINS,
    **TEXT_FUNCTIONS,
    **HUMANIZE_FUNCTIONS,
    "args": Function(lambda *values: {f"arg{index}": value for index, value in enumerate(values)}, (), "any"),
    "first": Function(_first, ("any",)),
    "label": Function(lambda name, sample: _sample(sample).labels.get(name, ""), ("string", "any")),
    "value": Function(lambda sample: _sample(sample).value, ("any",)),
    "strvalue": Function(lambda sample: _sample(sample).labels.get("__value__", ""), ("any",)),
    "sortByLabel": Function(_sort_by_label, ("string", "list")),
    "stripPort": Function(_strip_port, ("string",)),
    "stripDomain": Function(_strip_domain, ("string",)),
    "parseDuration": Function(_parse_duration, ("string",)),
    "toDuration": Function(lambda value: Duration(int(to_number(value) * SECOND)), ("any",)),
    "graphLink": Function(lambda text: f"/graph?g0.expr={quote_plus(text)}&g0.tab=0", ("string",)),
    "tableLink": Function(lambda text: f"/graph?g0.expr={quote_plus(text)}&g0.tab=1", ("string",)),
    "urlQueryEscape": Function(lambda text: quote_plus(text, errors="replace"), ("string",)),
    "query": Function(_unbound, ("string",)),
    "now": Function(_unbound),
    "tmpl": Function(_unbound, ("string", "any")),
    "pathPrefix": Function(_unbound),
    "externalURL": Function(_unbound),
}
"""All names; those that depend on where a template is rendered are bound by `functions_for`."""

BOUND = frozenset({"query", "now", "tmpl", "pathPrefix", "externalURL"})


def functions_for(
    surroundings: Surroundings, definitions: Mapping[str, Definition], budget: Budget
) -> dict[str, Function]:
    """Return the functions of one rendering."""
    functions = dict(RULE_FUNCTIONS)

    def tmpl(name: str, data: object) -> object:
        definition = definitions.get(name)
        if definition is None:
            raise CallError(f"template {name!r} is not defined")
        output = Output()
        budget.enter()
        try:
            Evaluator(definitions, functions, output, budget).run(definition, data)
        finally:
            budget.depth -= 1
        return "".join(output.parts)

    url = surroundings.external_url
    functions["query"] = Function(_Asking(surroundings), ("string",))
    functions["now"] = Function(lambda: surroundings.at_ms / 1000)
    functions["tmpl"] = Function(tmpl, ("string", "any"))
    functions["pathPrefix"] = Function(lambda: urlsplit(url).path)
    functions["externalURL"] = Function(lambda: url)
    return functions


class _Asking:
    """The function `query` of one rendering."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._count = 0

    def __call__(self, text: str) -> list[Sample]:
        self._count += 1
        if self._count > MAX_QUERIES:
            raise CallError(f"asks more than {MAX_QUERIES} times; ask once and go through the answer by 'range'")
        if self._surroundings.engine is None:
            raise CallError("nobody can be asked here")
        try:
            result = self._surroundings.engine.instant(_expression(text), self._surroundings.at_ms)
        except WatchkeeperError as error:
            raise CallError(f"{text[:80]!r}: {error}") from None
        return _samples(result)


@lru_cache(maxsize=200)
def _expression(text: str) -> Expression:
    return parse(text)


def _samples(result: Result) -> list[Sample]:
    if isinstance(result, Scalar):
        return [Sample(StringMap(), result.value)]
    if not isinstance(result, Vector):
        raise CallError("the expression yields no instant vector")
    if len(result.series) > MAX_SERIES:
        raise CallError(f"the answer has {len(result.series)} series; {MAX_SERIES} are allowed")
    values = result.values.tolist()
    return [Sample(StringMap(labels), value) for labels, value in zip(result.series, values, strict=True)]
