"""The file format of rule tests, as promtool has it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PlainValidator

from alerting.rule_file import Text
from alerting.unit_test.notation import parse_metric, parse_values
from core.config import Duration, SparseSection
from core.errors import UserError
from metrics.frame import FloatArray
from metrics.label import Labels


def _labels(value: object) -> object:
    try:
        return parse_metric(str(value or ""))
    except UserError as error:
        raise ValueError(str(error)) from None


def _metric(value: object) -> object:
    labels = _labels(value)
    if not labels:
        raise ValueError('has neither name nor labels; write it as name{label="value"}')
    return labels


def _values(value: object) -> FloatArray:
    try:
        return parse_values(str(value if value is not None else ""))
    except UserError as error:
        raise ValueError(str(error)) from None


MetricField = Annotated[Labels, PlainValidator(_metric)]
LabelsField = Annotated[Labels, PlainValidator(_labels)]
ValuesField = Annotated[FloatArray, PlainValidator(_values)]
ValueField = Annotated[float, Field(allow_inf_nan=True, strict=True)]


class InputSeries(SparseSection):
    """A made-up series."""

    series: MetricField = Field(description="Name and labels.", examples=['up{job="shop"}'])
    values: ValuesField = Field(description="One value for each interval.", examples=["1x5 0x10 _ stale"])


class ExpectedAlert(SparseSection):
    """An alert that must fire."""

    exp_labels: dict[str, Text] = Field({}, description="All its labels but alertname.", examples=[{"job": "shop"}])
    exp_annotations: dict[str, Text] = Field({}, description="All its annotations.", examples=[{"summary": "x"}])


class AlertRuleTest(SparseSection):
    """Which alerts of a name fire at a time; all of them."""

    eval_time: Duration = Field(0.0, ge=0, description="Time since the start.", examples=["10m"])
    alertname: Text = Field(min_length=1, description="The name.", examples=["TargetDown"])
    exp_alerts: list[ExpectedAlert] = Field([], description="Those that fire; none where empty.", examples=[[]])


class ExpectedSample(SparseSection):
    """A series that an expression must yield."""

    labels: LabelsField = Field((), description="Name and labels.", examples=['up{job="shop"}'])
    value: ValueField = Field(0.0, description="Its value.", examples=[1])


class ExpressionTest(SparseSection):
    """What an expression yields at a time; all of it."""

    expr: Text = Field(description="PromQL.", examples=["up == 0"])
    eval_time: Duration = Field(0.0, ge=0, description="Time since the start.", examples=["10m"])
    exp_samples: list[ExpectedSample] = Field([], description="What it yields.", examples=[[]])


class TestGroup(SparseSection):
    """Series, and what the rules make of them."""

    __test__ = False  # no test of ours

    interval: Duration | None = Field(
        None, gt=0, description="Time between two values; without it, evaluation_interval.", examples=["1m"]
    )
    name: Text = Field("", description="Shown where it fails.", examples=["a target that is down"])
    input_series: list[InputSeries] = Field([], description="Series.", examples=[[]])
    alert_rule_test: list[AlertRuleTest] = Field([], description="Tests of alerts.", examples=[[]])
    promql_expr_test: list[ExpressionTest] = Field([], description="Tests of expressions.", examples=[[]])
    external_labels: dict[str, Text] = Field({}, description="As in `global`.", examples=[{"region": "north"}])
    external_url: Text = Field("", description="How people reach the page.", examples=["https://watch.example.org/"])


class UnitTestFile(SparseSection):
    """A file of rule tests."""

    rule_files: list[Text] = Field(
        [], description="Rule files; patterns, from this file's folder.", examples=[["r.yml"]]
    )
    evaluation_interval: Duration = Field(60.0, gt=0, description="Time between two evaluations.", examples=["1m"])
    group_eval_order: list[Text] = Field([], description="Groups in the order of evaluation.", examples=[["a", "b"]])
    fuzzy_compare: bool = Field(False, description="Values may differ a little.", examples=[True])
    tests: list[TestGroup] = Field([], description="The tests.", examples=[[]])


def expected_labels(alert: ExpectedAlert, name: str) -> dict[str, str]:
    """Return all labels of an expected alert, its name among them."""
    return {**alert.exp_labels, "alertname": name}
