"""Templates yield what Alertmanager and Prometheus make of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml

from alerting.template.error import TemplateError
from alerting.template.notification import Templates
from alerting.template.rule import parse_template
from alerting.template.surroundings import Surroundings
from metrics.frame import Frame, Layout
from metrics.head import Head
from metrics.label import labels_of
from metrics.promql.engine import Engine
from metrics.promql.parse import Expression
from metrics.promql.result import Result
from tests.alerting.template.data import DATA, DOCUMENT
from tests.alerting.template.grammar import Grammar
from tests.components import require

pytestmark = pytest.mark.slow

_CUT = "\n=====\n"
_BATCH = 25

UNLIKE_ALERTMANAGER = {
    "{{ with .CommonLabels.none }}x{{ else with .Receiver }}{{ . }}{{ end }}": "team/one",
    "{{ range 3 }}x{{ end }}": "xxx",
    "{{ eq 1 1.0 }}{{ lt 1 1.5 }}": "truetrue",
    "{{ since (index .Alerts 0).StartsAt }}": "1m30s",
    "{{ since (index .Alerts 0).StartsAt | humanizeDuration }}": "1m 30s",
    '{{ date "2006-01-02" (index .Alerts 0).StartsAt }}': "2026-01-02",
    '{{ (tz "Europe/Paris" (index .Alerts 0).StartsAt).Format "15:04 MST" }}': "04:04 CET",
    '{{ " a " | trimSpace }}|': "a|",
    '{{ append (stringSlice "a") "b" | join "," }}': "a,b",
    '{{ (dict "a" 1).a }}{{ list 1 "b" | toJson }}{{ urlUnescape "a%20b+c" }}': '1[1,"b"]a b c',
}

TEMPLATES = Templates()


def cases(name: str) -> list[str]:
    """Return the templates of a file, one a line; many of them are mistakes."""
    return (Path(__file__).parent / f"{name}_cases.txt").read_text().splitlines()


class Amtool:
    """Alertmanager's own renderer."""

    def __init__(self, folder: Path) -> None:
        self._program = require("amtool")
        self._data = folder / "data.json"
        self._data.write_text(json.dumps(DOCUMENT))
        self._file = folder / "empty.tmpl"
        self._file.write_text('{{ define "none" }}{{ end }}')

    def render(self, text: str, kind: str = "text") -> str | None:
        """Return what a template yields; None where it fails."""
        run = subprocess.run(
            [self._program, "template", "render", "--template.glob", str(self._file), "--template.data",
             str(self._data), "--template.type", kind, "--template.text", text],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        return run.stdout if run.returncode == 0 else None

    def render_all(self, texts: Sequence[str]) -> list[str | None]:
        """Return what templates yield, asked together where all are right."""
        found: list[str | None] = []
        for start in range(0, len(texts), _BATCH):
            found += self._render_batch(texts[start : start + _BATCH])
        return found

    def _render_batch(self, texts: Sequence[str]) -> list[str | None]:
        whole = self.render(_CUT.join(f"{{{{ if true }}}}{text}{{{{ end }}}}" for text in texts))
        if whole is not None:
            return [*whole.split(_CUT)]
        if len(texts) == 1:
            return [None]
        half = len(texts) // 2
        return self._render_batch(texts[:half]) + self._render_batch(texts[half:])


@pytest.fixture(scope="module")
def amtool(tmp_path_factory: pytest.TempPathFactory) -> Amtool:
    return Amtool(tmp_path_factory.mktemp("amtool"))


def ours(text: str, kind: str = "text") -> str | None:
    try:
        return TEMPLATES.text(text, DATA) if kind == "text" else TEMPLATES.html(text, DATA)
    except TemplateError:
        return None


@pytest.mark.component("amtool")
def test_notification_templates_yield_what_alertmanager_makes_of_them(amtool: Amtool) -> None:
    wrong = [
        (text, theirs, ours(text)) for text in cases("notification") if (theirs := amtool.render(text)) != ours(text)
    ]
    assert not wrong


@pytest.mark.component("amtool")
def test_where_we_do_more_than_alertmanager_0_25_it_refuses(amtool: Amtool) -> None:
    assert [amtool.render(text) for text in UNLIKE_ALERTMANAGER] == [None] * len(UNLIKE_ALERTMANAGER)
    assert [ours(text) for text in UNLIKE_ALERTMANAGER] == list(UNLIKE_ALERTMANAGER.values())


@pytest.mark.component("amtool")
def test_pages_are_escaped_as_alertmanager_escapes_them(amtool: Amtool) -> None:
    for text in cases("page"):
        theirs, own = amtool.render(text, "html"), ours(text, "html")
        assert theirs is not None and own is not None, text
        assert own.lower() == theirs.lower(), text  # it writes %3c where we write %3C


@pytest.mark.component("amtool")
def test_five_hundred_made_up_notification_templates_yield_the_same(amtool: Amtool) -> None:
    grammar = Grammar(
        7,
        maps=["$.GroupLabels", "$.CommonLabels", "$.CommonAnnotations", "(index $.Alerts 0).Labels"],
        floats=["((index $.Alerts 1).EndsAt.Sub (index $.Alerts 1).StartsAt).Seconds"],
        strings=["toUpper", "toLower", "title", "join `,` $.GroupLabels.Values | print"],
    )
    texts = [grammar.template() for _ in range(500)]
    wrong = [
        (text, theirs, ours(text))
        for text, theirs in zip(texts, amtool.render_all(texts), strict=True)
        if theirs != ours(text)
    ]
    assert not wrong


@pytest.mark.component("promtool")
def test_rule_templates_yield_what_prometheus_makes_of_them(tmp_path: Path) -> None:
    grammar = Grammar(
        11,
        maps=["$labels", "$externalLabels", "$.Labels", "(args `a` `b`)"],
        floats=["$value", "$.Value", "(parseDuration `1h30m`)", "(query `sum(m)` | first | value)"],
        strings=["toUpper", "toLower", "title", "stripPort", "stripDomain", "graphLink", "tableLink"],
    )
    texts = [*cases("rule"), *(grammar.template() for _ in range(400))]
    assert promtool(tmp_path, [text for text in texts if rendered(text) is not None]) == ""


SERIES = {"b": 'x"<é', "instance": "web-1.example.org:9100"}
EXTERNAL = {"region": "north", "b": "2"}


class ThreeSeries:
    """Knows three series."""

    def instant(self, expression: Expression, at_ms: int) -> Result:
        head = Head(3600)
        layout = Layout(tuple(labels_of({"__name__": "m", **SERIES, "n": str(n)}) for n in (2, 10, 1)))
        head.append(Frame("test", at_ms, layout, np.array([1234567.5, 0.25, 3.0])))
        return Engine(head).instant(expression, at_ms)


def rendered(text: str) -> str | None:
    here = Surroundings(EXTERNAL, "http://watch.example.org/base", ThreeSeries(), 0)
    try:
        return parse_template(text).render(labels_of({**SERIES, "n": "2"}), 1234567.5, here)
    except TemplateError:
        return None


def promtool(folder: Path, texts: Sequence[str]) -> str:
    """Return where promtool does not see what we render; empty where it all agrees."""
    rule = {"alert": "A", "expr": 'sum by (b, instance, n) (m{n="2"})'}
    names = [f"t{number}" for number in range(len(texts))]
    annotations = dict(zip(names, texts, strict=True))
    expected = {name: rendered(text) for name, text in annotations.items()}
    (folder / "rules.yml").write_text(
        yaml.safe_dump({"groups": [{"name": "g", "rules": [{**rule, "annotations": annotations}]}]})
    )
    alert = {"exp_labels": {**SERIES, "n": "2"}, "exp_annotations": expected}
    inputs = [
        {"series": f'm{{b="x\\"<é",instance="{SERIES["instance"]}",n="{n}"}}', "values": values}
        for n, values in (("2", "1234567.5"), ("10", "0.25"), ("1", "3"))
    ]
    (folder / "test.yml").write_text(
        yaml.safe_dump(
            {
                "rule_files": ["rules.yml"],
                "tests": [
                    {
                        "interval": "1m",
                        "external_labels": EXTERNAL,
                        "external_url": "http://watch.example.org/base",
                        "input_series": inputs,
                        "alert_rule_test": [{"eval_time": "0m", "alertname": "A", "exp_alerts": [alert]}],
                    }
                ],
            }
        )
    )
    run = subprocess.run(
        [require("promtool"), "test", "rules", str(folder / "test.yml")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return "" if run.returncode == 0 else run.stdout + run.stderr


def test_the_grammar_makes_templates_that_can_be_rendered() -> None:
    grammar = Grammar(3, maps=["$labels"], floats=["$value"], strings=["toUpper"])
    texts = [grammar.template() for _ in range(300)]
    assert sum(rendered(text) is not None for text in texts) > 250
