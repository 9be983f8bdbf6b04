"""The reference of the daemon's own metrics, read from the code itself so that none is left out.

`python -m daemon.metrics_reference` prints docs/metrics.md; a test holds the file to it. The code is read, not run:
many metrics exist only while what they tell of is configured.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOMS = ("core", "metrics", "security", "collectors", "alerting", "exporters", "actions", "daemon")
_KINDS = {
    "Counter": "counter",
    "Gauge": "gauge",
    "Histogram": "histogram",
    "Summary": "summary",
    "Info": "info",
    "GaugeMetricFamily": "gauge",
    "CounterMetricFamily": "counter",
    "Family": "",
}
_SUFFIXES = {"counter": "_total", "info": "_info"}
_PREFIX = "watchkeeper_"

_HEAD = """\
# The daemon's own metrics

Generated from the code by `python -m daemon.metrics_reference`; a test keeps it true. They are at `/metrics`, and in
the daemon's own store with `job="watchkeeper"`. What collectors measure bears the names of the exporter that the world
knows for it: node_exporter's for the machine, blackbox_exporter's for probes.

| metric | type | labels | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, order=True)
class Metric:
    """A metric as its declaration tells of it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def reference() -> str:
    """Return the whole reference as Markdown."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.meaning} |"
        for metric in sorted(set(declared(Path(__file__).parents[1])))
    ]
    return _HEAD + "\n".join(rows) + "\n"


def declared(root: Path) -> Iterator[Metric]:
    """Yield every metric that the code under `root` declares."""
    for room in _ROOMS:
        for file in sorted((root / room).rglob("*.py")):
            text = file.read_text()
            if not any(f"{kind}(" in text for kind in _KINDS):
                continue
            module = ast.parse(text)
            names = dict(_constants(module))
            for node in ast.walk(module):
                if isinstance(node, ast.Call) and (metric := _metric(node, names)) is not None:
                    yield metric


def _constants(module: ast.Module) -> Iterator[tuple[str, object]]:
    """Yield what is assigned to plain names: texts and lists of texts that declarations share."""
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = _value(node.value, {})
            if value is not None:
                yield node.targets[0].id, value


def _metric(call: ast.Call, names: dict[str, object]) -> Metric | None:
    function = call.func.id if isinstance(call.func, ast.Name) else ""
    if function not in _KINDS or not call.args:
        return None
    given = dict(enumerate(call.args)) | {word.arg: word.value for word in call.keywords}
    name = _value(given[0], names)
    if not isinstance(name, str) or not name.startswith(_PREFIX):
        return None
    kind, meaning_at, labels_at = _KINDS[function], 1, 2
    if function == "Family":
        kind, meaning_at, labels_at = ast.unparse(given[1]).rpartition(".")[2].lower(), 2, -1
    suffix = _SUFFIXES.get(kind, "")
    meaning = _value(given[meaning_at], names)
    labels = _value(given.get("labelnames", given.get("labels", given.get(labels_at))), names)
    return Metric(
        name.removesuffix(suffix) + suffix,
        kind,
        tuple(labels) if isinstance(labels, list) else (),
        str(meaning or "").replace("|", "\\|"),
    )


def _value(node: ast.expr | None, names: dict[str, object]) -> object:
    """Return the text, or the list of texts, that an expression stands for; None where it is neither."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        texts = [_value(element, names) for element in node.elts]
        return texts if all(isinstance(text, str) for text in texts) else None
    return names.get(node.id) if isinstance(node, ast.Name) else None


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - its output is the file
