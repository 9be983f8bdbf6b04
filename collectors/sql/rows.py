"""Turns the rows of a query into series. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from collectors.readings import Batch, Pairs
from collectors.sql.config import QueryConfig
from collectors.sql.source import Rows, SqlError
from metrics.frame import Family


def add_rows(batch: Batch, family: Family, query: QueryConfig, answer: Rows, max_rows: int, labels: Pairs) -> None:
    """Add one sample for each row whose value is not NULL.

    Raises: SqlError: too many rows, a column is missing, a value is no number, or two rows have the same labels;
        nothing is added then.
    """
    if len(answer.rows) > max_rows:
        raise SqlError(f"gives more than {max_rows} rows; aggregate in the query, or raise max_rows")
    value_at = _position(query.value, answer.columns)
    labels_at = [(name, _position(name, answer.columns)) for name in query.labels]
    samples: dict[Pairs, float] = {}
    for number, row in enumerate(answer.rows, 1):
        value = _number(row[value_at], query.value, number)
        if value is None:
            continue
        pairs = (*labels, *((name, _text(row[position])) for name, position in labels_at))
        if pairs in samples:
            raise SqlError(f"row {number} has the same labels as one before; add a label column, or aggregate")
        samples[pairs] = value
    for pairs, value in samples.items():
        batch.add(family, value, pairs)


def _position(name: str, columns: Sequence[str]) -> int:
    if name not in columns:
        raise SqlError(f"has no column {name!r}; it has {', '.join(columns) or 'none'}")
    return columns.index(name)


def _number(value: object, column: str, row: int) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool | int | float | Decimal):
        try:
            return float(value)
        except OverflowError:
            pass
    raise SqlError(f"column {column!r} of row {row} is {str(value)[:60]!r}, no number; cast it in the query")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
