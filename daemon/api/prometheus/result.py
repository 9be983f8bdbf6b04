"""The result of an evaluation as JSON, made piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from operator import add
from typing import Any

import numpy as np

from daemon.api.prometheus.answer import TRUNCATED, notes
from daemon.api.prometheus.number import format_milliseconds, format_number, format_numbers, format_scalar
from metrics.label import Labels
from metrics.promql.result import Matrix, Result, Scalar, String, Vector
from metrics.storage import is_missing

_PIECE_SERIES = 256


def result_pieces(result: Result, at_ms: int, *, limit: int = 0) -> Iterator[bytes]:
    """Yield the answer to a query.

    Args:
        at_ms: the moment of an instant result.
        limit: how many series are shown at most; 0 shows all.
    """
    cut = limit > 0 and isinstance(result, Vector | Matrix) and len(result.series) > limit
    warnings = [*result.warnings, TRUNCATED] if cut else result.warnings
    beside = _json(notes(warnings, result.infos))[1:-1]
    yield f'{{"status":"success","data":{{"resultType":"{_kind(result)}","result":'.encode()
    if isinstance(result, Scalar | String):
        text = format_scalar(result.value) if isinstance(result, Scalar) else result.value
        yield f"[{format_number(at_ms / 1000)},{_json(text)}]".encode("utf-8", "replace")
    else:
        rows = _vector(result, at_ms, limit) if isinstance(result, Vector) else _matrix(result, limit)
        yield from _list(rows)
    yield ("}" + ("," + beside if beside else "") + "}").encode("utf-8", "replace")


def _kind(result: Result) -> str:
    return type(result).__name__.lower()


def _list(rows: Iterator[str]) -> Iterator[bytes]:
    separator = "["
    for row in rows:
        yield (separator + row).encode("utf-8", "replace")
        separator = ","
    yield b"]" if separator == "," else b"[]"


def _vector(result: Vector, at_ms: int, limit: int) -> Iterator[str]:
    time = format_milliseconds(at_ms)
    count = min(limit, len(result.series)) if limit else len(result.series)
    for start in range(0, count, _PIECE_SERIES):
        end = min(start + _PIECE_SERIES, count)
        texts = format_numbers(result.values[start:end].tolist())
        yield ",".join(
            f'{{"metric":{_labels(labels)},"value":[{time},"{text}"]}}'
            for labels, text in zip(result.series[start:end], texts, strict=True)
        )


def _matrix(result: Matrix, limit: int) -> Iterator[str]:
    series: Sequence[Labels] = result.series
    heads = [f'[{format_milliseconds(time)},"' for time in result.timestamps_ms.tolist()]
    order = sorted(range(len(series)), key=series.__getitem__)
    for column in order[:limit] if limit else order:
        values = np.ascontiguousarray(result.values[:, column])
        missing = is_missing(values)
        shown = heads
        if missing.any():
            places = np.flatnonzero(~missing)
            values, shown = values[places], [heads[place] for place in places.tolist()]
        if not len(values):
            continue
        points = '"],'.join(map(add, shown, format_numbers(values.tolist())))
        yield f'{{"metric":{_labels(series[column])},"values":[{points}"]]}}'


def _labels(labels: Labels) -> str:
    return _json(dict(labels))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
