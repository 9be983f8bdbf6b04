from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from collectors.readings import Batch
from collectors.sql.config import QueryConfig
from collectors.sql.rows import add_rows
from collectors.sql.source import Rows, SqlError
from metrics.frame import Family, MetricType

ORDERS = Family("orders", MetricType.GAUGE)


def samples_of(columns: list[str], rows: list[tuple[Any, ...]], labels: list[str], max_rows: int = 10) -> Any:
    query = QueryConfig(metric="orders", query="SELECT", labels=labels)
    batch = Batch()
    add_rows(batch, ORDERS, query, Rows(columns, rows), max_rows, (("database", "shop"),))
    return [(dict(pairs), value) for (_, _, pairs), value in zip(batch.keys, batch.values, strict=True)]


def test_columns_become_labels_and_value() -> None:
    rows = [("de", 3, True), ("ch", Decimal("4.5"), None), (b"\xff", True, 7)]
    assert samples_of(["country", "value", "open"], rows, ["country", "open"]) == [
        ({"database": "shop", "country": "de", "open": "true"}, 3.0),
        ({"database": "shop", "country": "ch", "open": ""}, 4.5),
        ({"database": "shop", "country": "\ufffd", "open": "7"}, 1.0),
    ]


def test_rows_without_a_value_are_left_out() -> None:
    assert samples_of(["value"], [(None,)], []) == []
    assert samples_of(["value"], [], []) == []


@pytest.mark.parametrize(
    ("columns", "rows", "labels", "message"),
    [
        (["n"], [(1,)], [], "has no column 'value'; it has n"),
        (["value"], [(1,)], ["country"], "has no column 'country'; it has value"),
        ([], [], [], "has no column 'value'; it has none"),
        (["value"], [("many",)], [], "column 'value' of row 1 is 'many', no number; cast it in the query"),
        (["value"], [(10**400,)], [], "column 'value' of row 1 is '1000"),
        (["value"], [(1,)] * 11, [], "gives more than 10 rows; aggregate in the query, or raise max_rows"),
        (["value"], [(1,), (2,)], [], "row 2 has the same labels as one before"),
    ],
)
def test_unusable_answers_are_refused_as_a_whole(
    columns: list[str], rows: list[tuple[Any, ...]], labels: list[str], message: str
) -> None:
    with pytest.raises(SqlError) as caught:
        samples_of(columns, rows, labels)
    assert str(caught.value).startswith(message)
