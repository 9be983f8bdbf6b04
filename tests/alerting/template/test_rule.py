"""Templates of rules: what is rendered, and what is refused when it is loaded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.template.error import TemplateError
from alerting.template.number import format_number
from alerting.template.rule import parse_template
from metrics.label import labels_of

LABELS = labels_of({"instance": "web-1", "bytes": "1536", "hostile": "{{ $value }}<script>"})


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("plain", 1, "plain"),
        ("", 1, ""),
        ("{{ $labels.instance }} is {{$value}}", 80, "web-1 is 80"),
        ("{{ $labels.absent }}", 1, ""),
        ("{{ $labels.hostile }}", 7, "{{ $value }}<script>"),
        ("{{ $value | humanize }}", 1234567, "1.235M"),
        ("{{ humanize $value }}", 0.000123, "123u"),
        ("{{ $value|humanize }}", 0, "0"),
        ("{{ $labels.bytes | humanize1024 }}B", 1, "1.5kiB"),
        ("{{ $value | humanizePercentage }}", 0.1234, "12.34%"),
        ("{{ $value | humanizeDuration }}", 93784, "1d 2h 3m 4s"),
        ("{{ $value | humanizeDuration }}", 3661, "1h 1m 1s"),
        ("{{ $value | humanizeDuration }}", 61, "1m 1s"),
        ("{{ $value | humanizeDuration }}", 1.5, "1.5s"),
        ("{{ $value | humanizeDuration }}", 0.0015, "1.5ms"),
        ("{{ $value | humanizeDuration }}", -61, "-1m 1s"),
        ("{{ $value | humanizeDuration }}", float("nan"), "NaN"),
        ('{{ printf "%.2f" $value }}', 1.005, "1.00"),
        ('{{ $value | printf "%.1f%%" }}', 99.95, "100.0%"),
        ('{{ printf "%s=%d %q" $labels.instance $value $labels.bytes }}', 3.7, 'web-1=%!d(float64=3.7) "1536"'),
        ('{{ printf "%5.1f|%-4s|" $value "a" }}', 2, "  2.0|a   |"),
        ("a {{- $value -}} b", 1, "a1b"),
        ("{{ `raw` }}", 1, "raw"),
    ],
)
def test_rendering(text: str, value: float, expected: str) -> None:
    assert parse_template(text).render(LABELS, value) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ humanize }}", "1:4: 'humanize' takes 1 arguments, not 0"),
        ("{{ humanize $value $value }}", "'humanize' takes 1 arguments, not 2"),
        ("{{ $value | humanize 3 }}", "'humanize' takes 1 arguments, not 2"),
        ("{{ if true }}{{ define `x` }}{{ end }}{{ end }}", "must not stand inside another block"),
        ("{{ printf }}", "takes at least 1 arguments"),
        ("{{ $value", "1:1: '{{' is never closed; add '}}'"),
        ("a\nb {{ {{ $value }} }}", "2:6: '{{' stands inside an action"),
        ("{{ $valuex }}", r"1:4: variable \$valuex is not known"),
        ("{{ nope 1 }}", "function 'nope' is not known; known are .*humanize"),
    ],
)
def test_what_can_never_be_rendered_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        parse_template(text)


def test_a_label_that_is_no_number_says_so() -> None:
    with pytest.raises(TemplateError, match="'web-1' is no number"):
        parse_template("{{ $labels.instance | humanize }}").render(LABELS, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(80.0, "80"), (0.5, "0.5"), (1e6, "1e+06"), (123456.0, "123456"), (1e-5, "1e-05"), (0.0, "0"), (-2.5, "-2.5"),
     (float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN"), (1e300, "1e+300")],
)  # fmt: skip
def test_numbers_read_as_prometheus_prints_them(value: float, expected: str) -> None:
    assert format_number(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_back(value: float) -> None:
    assert float(format_number(value)) == value


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_and_label_values_stay_text(text: str) -> None:
    try:
        template = parse_template(text)
    except TemplateError:
        return
    rendered = template.render((), 1.0)
    assert rendered == text or "{{" in text
    assert parse_template("{{ $labels.x }}").render(labels_of({"x": text}), 1.0) == text
