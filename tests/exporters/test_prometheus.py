"""What is shown on /metrics: every series once, every family once, readable by every parser."""

from __future__ import annotations

import math
import subprocess
from dataclasses import dataclass, field

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary
from prometheus_client import Enum as StateSet
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from core.plugin import load_plugin
from exporters.exporter import ENTRY_POINT_GROUP
from exporters.prometheus import PrometheusExporter, render
from metrics.exposition import parse
from metrics.frame import NO_TIMESTAMP, STALE, Family, FloatArray, Layout, MetricType, TimeArray
from metrics.head import Head
from metrics.label import METRIC_NAME, Labels, labels_of
from tests.components import require

TEXT = "text/plain"
OPENMETRICS = "application/openmetrics-text"
UTF8 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"


@dataclass(frozen=True)
class Source:
    """What a collector hands over."""

    layout: Layout
    values: FloatArray
    families: dict[str, Family] = field(default_factory=dict)
    timestamps_ms: TimeArray | None = None


def source(
    *rows: tuple[str, dict[str, str], float], families: list[Family] | None = None, times: list[int] | None = None
) -> Source:
    layout = Layout(tuple(labels_of({METRIC_NAME: name, **labels}) for name, labels, _ in rows))
    values = np.array([value for _, _, value in rows], dtype=np.float64)
    stamps = None if times is None else np.array(times, dtype=np.int64)
    return Source(layout, values, {one.name: one for one in families or []}, stamps)


def text_of(*sources: Source, own: CollectorRegistry | None = None, accept: str = TEXT) -> str:
    _, body = PrometheusExporter().render(sources, own or CollectorRegistry(), accept)
    return body.decode()


def machine() -> Source:
    return source(
        ("node_load1", {}, 0.5),
        ("node_context_switches_total", {}, 12345),
        ("node_cpu_seconds_total", {"cpu": "0", "mode": "idle"}, 1.5e9),
        ("node_cpu_seconds_total", {"cpu": "0", "mode": "user"}, 0.1),
        ("node_uname_info", {"sysname": "Linux", "release": '6.1 "x" \\ \n y'}, 1),
        families=[
            Family("node_load1", MetricType.GAUGE, "1m load average."),
            Family("node_context_switches_total", MetricType.COUNTER, "Context switches."),
            Family("node_cpu_seconds_total", MetricType.COUNTER, 'Seconds, "by" mode.\nTwo \\ lines.'),
            Family("node_uname_info", MetricType.GAUGE, "Labeled system information."),
        ],
    )


def registry() -> CollectorRegistry:
    own = CollectorRegistry()
    requests = Counter("watchkeeper_requests_total", "Requests.", ["code"], registry=own)
    requests.labels("200").inc(3)
    requests.labels("500").inc(1)
    Gauge("watchkeeper_ready", "Ready.", registry=own).set(1)
    seconds = Histogram("watchkeeper_step_seconds", "Steps.", ["kind"], buckets=(1, 2.5), registry=own)
    seconds.labels("a").observe(2)
    seconds.labels("b").observe(20)
    Summary("watchkeeper_size_bytes", "Sizes.", registry=own).observe(7)
    Info("watchkeeper_build", "Build.", registry=own).info({"version": "1"})
    StateSet("watchkeeper_state", "State.", states=["on", "off"], registry=own).state("off")
    return own


Read = dict[Labels, float]


def read_text(body: str) -> Read:
    families = list(text_families(body))
    samples = [s for one in families for s in one.samples]
    assert len({one.name for one in families}) == len(families), "a family comes twice"
    found = {labels_of({METRIC_NAME: s.name, **s.labels}): s.value for s in samples}
    assert len(found) == len(samples), "a series comes twice"
    return found


def read_openmetrics(body: str) -> Read:
    families = list(openmetrics_families(body))  # type: ignore[no-untyped-call]
    samples = [s for one in families for s in one.samples]
    found = {labels_of({METRIC_NAME: s.name, **s.labels}): s.value for s in samples}
    assert len(found) == len(samples), "a series comes twice"
    return found


def told(source: Source) -> Read:
    return dict(zip(source.layout.series, source.values.tolist(), strict=True))


def test_text_format_is_written_to_the_letter() -> None:
    body = text_of(machine(), own=registry())

    assert body.startswith(
        "# HELP node_load1 1m load average.\n# TYPE node_load1 gauge\nnode_load1 0.5\n"
        "# HELP node_context_switches_total Context switches.\n# TYPE node_context_switches_total counter\n"
        "node_context_switches_total 12345.0\n"
        '# HELP node_cpu_seconds_total Seconds, "by" mode.\\nTwo \\\\ lines.\n# TYPE node_cpu_seconds_total counter\n'
        'node_cpu_seconds_total{cpu="0",mode="idle"} 1500000000.0\nnode_cpu_seconds_total{cpu="0",mode="user"} 0.1\n'
        "# HELP node_uname_info Labeled system information.\n# TYPE node_uname_info gauge\n"
        'node_uname_info{release="6.1 \\"x\\" \\\\ \\n y",sysname="Linux"} 1.0\n'
        "# HELP watchkeeper_requests_total Requests.\n# TYPE watchkeeper_requests_total counter\n"
        'watchkeeper_requests_total{code="200"} 3.0\n'
    )
    assert body.endswith('watchkeeper_state{watchkeeper_state="off"} 1.0\n')
    assert "_created" not in body


def test_openmetrics_names_counters_without_total() -> None:
    body = text_of(machine(), own=registry(), accept=OPENMETRICS)

    assert "# TYPE node_context_switches counter\nnode_context_switches_total 12345.0\n" in body
    assert '# HELP node_cpu_seconds Seconds, \\"by\\" mode.\\nTwo \\\\ lines.\n' in body
    assert "# TYPE watchkeeper_build info\nwatchkeeper_build_info{" in body
    assert "# TYPE watchkeeper_state stateset\n" in body
    assert body.endswith("# EOF\n")


def test_parsers_read_back_what_was_rendered() -> None:
    own = registry()
    expected = {
        labels_of({METRIC_NAME: s.name, **s.labels}): s.value for one in own.collect() for s in one.samples
    } | told(machine())
    in_text = {labels: value for labels, value in expected.items() if "_created" not in str(labels)}

    assert read_text(text_of(machine(), own=own)) == in_text
    assert read_openmetrics(text_of(machine(), own=own, accept=OPENMETRICS)) == expected
    ours = parse(text_of(machine(), own=own, accept=OPENMETRICS).encode(), OPENMETRICS)
    assert dict(zip(ours.layout.series, ours.values.tolist(), strict=True)) == expected


def test_family_of_several_sources_is_written_once() -> None:
    told_first = Family("probe_success", MetricType.GAUGE, "Whether it succeeded.")
    told_later = Family("probe_success", MetricType.UNTYPED, "Another help.")
    body = text_of(
        source(("probe_success", {"instance": "a"}, 1), families=[told_first]),
        source(("other", {}, 1)),
        source(("probe_success", {"instance": "b"}, 0), families=[told_later]),
    )

    assert body == (
        "# HELP probe_success Whether it succeeded.\n# TYPE probe_success gauge\n"
        'probe_success{instance="a"} 1.0\nprobe_success{instance="b"} 0.0\n'
        "# TYPE other untyped\nother 1.0\n"
    )


def test_series_that_comes_twice_is_written_once() -> None:
    body = text_of(source(("a", {"x": "1"}, 1)), source(("a", {"x": "1"}, 2), ("a", {"x": "2"}, 3)))

    assert body == '# TYPE a untyped\na{x="1"} 1.0\na{x="2"} 3.0\n'


def test_counters_and_infos_of_either_format_are_written_right_in_both() -> None:
    sources = source(
        ("om_total", {}, 1), ("text_total", {}, 2), ("plain", {}, 3), ("om_build_info", {"v": "1"}, 1), ("odd", {}, 1),
        families=[
            Family("om", MetricType.COUNTER), Family("text_total", MetricType.COUNTER),
            Family("plain", MetricType.COUNTER), Family("om_build", MetricType.INFO), Family("odd", MetricType.INFO),
        ],
    )  # fmt: skip

    assert text_of(sources) == (
        "# TYPE om_total counter\nom_total 1.0\n# TYPE text_total counter\ntext_total 2.0\n"
        "# TYPE plain counter\nplain 3.0\n"
        '# TYPE om_build_info gauge\nom_build_info{v="1"} 1.0\n# TYPE odd gauge\nodd 1.0\n'
    )
    assert text_of(sources, accept=OPENMETRICS) == (
        "# TYPE om counter\nom_total 1.0\n# TYPE text counter\ntext_total 2.0\n# TYPE plain unknown\nplain 3.0\n"
        '# TYPE om_build info\nom_build_info{v="1"} 1.0\n# TYPE odd unknown\nodd 1.0\n# EOF\n'
    )


def test_counter_beside_a_gauge_of_its_openmetrics_name_stays_readable() -> None:
    body = text_of(
        source(("x", {}, 1), families=[Family("x", MetricType.GAUGE)]),
        source(("x_total", {}, 2), families=[Family("x_total", MetricType.COUNTER)]),
        accept=OPENMETRICS,
    )

    assert body == "# TYPE x gauge\nx 1.0\n# TYPE x_total unknown\nx_total 2.0\n# EOF\n"


def test_parts_of_a_histogram_are_written_together_and_in_order() -> None:
    histogram = source(
        ("h_sum", {"k": "b"}, 5), ("h_bucket", {"k": "a", "le": "10"}, 1), ("h_bucket", {"k": "b", "le": "+Inf"}, 2),
        ("h_bucket", {"k": "b", "le": "10"}, 2), ("h_bucket", {"k": "b", "le": "2.5"}, 1), ("h_count", {"k": "b"}, 2),
        ("h_bucket", {"k": "a", "le": "+Inf"}, 1), ("h_count", {"k": "a"}, 1), ("h_sum", {"k": "a"}, 9),
        families=[Family("h", MetricType.HISTOGRAM, "H.")],
    )  # fmt: skip
    lines = (
        'h_bucket{k="b",le="2.5"} 1.0\nh_bucket{k="b",le="10"} 2.0\nh_bucket{k="b",le="+Inf"} 2.0\n'
        'h_count{k="b"} 2.0\nh_sum{k="b"} 5.0\n'
        'h_bucket{k="a",le="10"} 1.0\nh_bucket{k="a",le="+Inf"} 1.0\nh_count{k="a"} 1.0\nh_sum{k="a"} 9.0\n'
    )

    assert text_of(histogram) == "# HELP h H.\n# TYPE h histogram\n" + lines
    in_openmetrics = text_of(histogram, accept=OPENMETRICS)
    assert in_openmetrics == "# HELP h H.\n# TYPE h histogram\n" + lines.replace('"10"', '"10.0"') + "# EOF\n"
    assert len(read_openmetrics(in_openmetrics)) == 9


def test_gauge_histogram_has_its_sum_and_count_as_gauges_in_text() -> None:
    body = text_of(
        source(("g_bucket", {"le": "+Inf"}, 2), ("g_gcount", {}, 2), ("g_gsum", {}, 3),
               families=[Family("g", MetricType.GAUGEHISTOGRAM)])
    )  # fmt: skip

    assert body == (
        '# TYPE g histogram\ng_bucket{le="+Inf"} 2.0\n# TYPE g_gcount gauge\ng_gcount 2.0\n'
        "# TYPE g_gsum gauge\ng_gsum 3.0\n"
    )


def test_unit_is_written_where_the_name_ends_with_it() -> None:
    families = [Family("a_seconds", MetricType.GAUGE, unit="seconds"), Family("b", MetricType.GAUGE, unit="seconds")]
    body = text_of(source(("a_seconds", {}, 1), ("b", {}, 1), families=families), accept=OPENMETRICS)

    assert "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1.0\n# TYPE b gauge\nb 1.0\n" in body


def test_other_characters_in_names_become_underscores_or_are_quoted() -> None:
    dotted = source(
        ("http.server.duration", {"http.method": "GET", "http_method": "POST"}, 1), ("http_server_duration", {}, 2),
        ("2xx", {}, 3), families=[Family("http.server.duration", MetricType.GAUGE, "D.")],
    )  # fmt: skip

    assert text_of(dotted) == (
        "# HELP http_server_duration D.\n# TYPE http_server_duration gauge\n"
        'http_server_duration{http_method="GET"} 1.0\n'
        "http_server_duration 2.0\n# TYPE _xx untyped\n_xx 3.0\n"
    )
    assert text_of(dotted, accept=UTF8) == (
        '# HELP "http.server.duration" D.\n# TYPE "http.server.duration" gauge\n'
        '{"http.server.duration","http.method"="GET",http_method="POST"} 1.0\n'
        "# TYPE http_server_duration unknown\nhttp_server_duration 2.0\n"
        '# TYPE "2xx" unknown\n{"2xx"} 3.0\n# EOF\n'
    )


def test_special_values_and_own_times_are_written_as_the_formats_say() -> None:
    rows = source(("a", {}, math.nan), ("b", {}, math.inf), ("c", {}, -math.inf), ("d", {}, 1e300), ("e", {}, 5e-324),
                  times=[1_700_000_000_123, NO_TIMESTAMP, 0, -1500, 5])  # fmt: skip
    values = ["a NaN 1700000000123", "b +Inf", "c -Inf 0", "d 1e+300 -1500", "e 5e-324 5"]
    seconds = ["a NaN 1700000000.123", "b +Inf", "c -Inf 0.000", "d 1e+300 -1.500", "e 5e-324 0.005"]

    assert [line for line in text_of(rows).splitlines() if line[0] != "#"] == values
    assert [line for line in text_of(rows, accept=OPENMETRICS).splitlines() if line[0] != "#"] == seconds


def test_staleness_markers_are_left_out() -> None:
    first = source(("a", {"x": "1"}, 1), ("a", {"x": "2"}, 2), families=[Family("a", MetricType.GAUGE)])
    exporter, own = PrometheusExporter(), CollectorRegistry()
    before = exporter.render([first], own, TEXT)[1]
    gone = Source(first.layout, np.array([STALE, 2.0]), first.families)
    after = exporter.render([gone], own, TEXT)[1]

    assert before == b'# TYPE a gauge\na{x="1"} 1.0\na{x="2"} 2.0\n'
    assert after == b'# TYPE a gauge\na{x="2"} 2.0\n'


def test_nothing_is_written_for_nothing() -> None:
    assert text_of() == ""
    assert text_of(accept=OPENMETRICS) == "# EOF\n"


def test_remembered_writing_follows_new_values_series_and_own_metrics() -> None:
    exporter, own = PrometheusExporter(), CollectorRegistry()
    requests = Counter("requests_total", "R.", ["code"], registry=own)
    first = source(("a", {}, 1))
    requests.labels("200").inc()
    assert b"\na 1.0\n" in exporter.render([first], own, TEXT)[1]

    requests.labels("200").inc()
    body = exporter.render([Source(first.layout, np.array([2.0]), first.families)], own, TEXT)[1]
    assert b"\na 2.0\n" in body
    assert b'requests_total{code="200"} 2.0\n' in body

    requests.labels("500").inc()
    body = exporter.render([source(("b", {}, 3))], own, TEXT)[1]
    assert b"\nb 3.0\n" in body
    assert b"\na " not in body
    assert b'requests_total{code="500"} 1.0\n' in body


def test_exporter_is_found_as_a_plugin() -> None:
    plugin = load_plugin(ENTRY_POINT_GROUP, "prometheus")

    assert plugin is PrometheusExporter
    content_type, body = render([machine()], CollectorRegistry(), OPENMETRICS)
    assert (content_type, body[-6:]) == ("application/openmetrics-text; version=1.0.0; charset=utf-8", b"# EOF\n")


@pytest.mark.slow
@pytest.mark.component("prometheus")
def test_promtool_finds_nothing_wrong() -> None:
    own = CollectorRegistry()
    Head(registry=own)
    Counter("watchkeeper_requests_total", "Requests.", ["code"], registry=own).labels("200").inc()
    Histogram("watchkeeper_step_seconds", "Steps.", registry=own).observe(2)
    Summary("watchkeeper_size_bytes", "Sizes.", registry=own).observe(7)
    body = text_of(machine(), own=own).encode()
    checked = subprocess.run([require("promtool"), "check", "metrics"], check=False, input=body, capture_output=True)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
