"""No template, however it is written and whatever its data, takes long, goes deep or yields much."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.template.error import CallError, TemplateError
from alerting.template.notification import Templates
from alerting.template.notification_data import KV
from alerting.template.regex import Regex
from alerting.template.rule import parse_template
from metrics.label import labels_of
from tests.alerting.template.data import DATA

TEMPLATES = Templates()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', "levels deep"),
        ('{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ template "a" . }}{{ end }}{{ template "a" }}',
         "levels deep"),
        ('{{ $x := "aaaaaaaaaa" }}{{ range 1000 }}{{ $x = printf "%s%s" $x $x }}{{ end }}', "make it shorter"),
        ("{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}", "steps; make it simpler"),
        ("{{ range 100000000000 }}{{ end }}", "steps; make it simpler"),
        ('{{ range 3000 }}{{ printf "%1000d" . }}{{ end }}', "yields more than|steps"),
        ('{{ printf "%999999999d" 1 }}{{ printf "%999999999d" 1 }}', "yields more than"),
        ("{{ $x := list 1 }}{{ range 100000 }}{{ $x = append $x $x }}{{ end }}", "steps"),
        ("{{ $x := list 1 }}{{ range 20 }}{{ $x = list $x $x $x }}{{ end }}{{ $x }}", "yields more than|steps|deep"),
        ("{{ " + "(" * 1000 + "1" + ")" * 1000 + " }}", "inside each other"),
        ("{{ if 1 }}" * 1000 + "{{ end }}" * 1000, "inside each other"),
        ("x" * 300_000 + "{{ 1 }}", "262144 are allowed"),
    ],
)  # fmt: skip
def test_what_takes_too_much_is_ended_with_a_reason_and_soon(text: str, message: str) -> None:
    started = time.monotonic()
    with pytest.raises(TemplateError, match=message):
        TEMPLATES.text(text, DATA)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(.*)*x", "((a*)*)*b", "(a?){30}a{30}x", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"],
)
def test_no_pattern_makes_a_label_value_take_long(pattern: str) -> None:
    text = '{{ reReplaceAll "' + pattern + '" "-" $labels.v }}{{ match "' + pattern + '" $labels.v }}'
    template = parse_template(text)
    started = time.monotonic()
    try:
        template.render(labels_of({"v": "a" * 3000 + "!"}), 1)
    except TemplateError as error:
        assert "takes too long" in str(error)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("pattern", ["(", "a{2000}", "(?=a)", r"(a)\1", "(?P<n>a", "[z-a]"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(CallError, match="cannot be used"):
        Regex(pattern).found_in("a")


PIECES = ["a", "b", ".", "(a|ab)", "(a*)", "(b+)?", "[ab]", "^", "$", "a*?", "(?:b|a)+", "(?i)B", r"\b"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5), st.text("abA \n", max_size=12))
@settings(max_examples=50, deadline=None)
def test_the_machine_finds_what_the_backtracking_one_finds(pieces: list[str], text: str) -> None:
    pattern = "".join(pieces)
    try:
        slow, quick = Regex(pattern), Regex(pattern)
    except CallError:
        return
    slow._is_nested, quick._is_nested = True, False
    plain = text.replace("\n", "")
    assert slow.replace("<$0|$1>", plain) == quick.replace("<$0|$1>", plain)


ACTIONS = ["{{", "}}", "if", "range", "end", "else", ".", "$x", ":=", "|", "(", ")", '"a"', "1", " ", "len", ".Alerts",
           "with", "define", "template", "-", "/*", "*/", "`", "\n", "eq", "$", "break", "printf", '"%d"']  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(ACTIONS), max_size=25).map(" ".join)))
@settings(max_examples=80, deadline=None)
def test_any_text_is_rendered_or_refused_with_a_place(text: str) -> None:
    for render in (TEMPLATES.text, TEMPLATES.html):
        try:
            shown = render(text, DATA)
        except TemplateError as error:
            assert str(error).split(":")[0].isdigit()
        else:
            assert "{{" in text or shown == text


@given(st.text(max_size=40))
@settings(max_examples=50, deadline=None)
def test_what_a_label_says_stays_text(value: str) -> None:
    data = replace(DATA, common_labels=KV({"v": value}))
    assert TEMPLATES.text("{{ .CommonLabels.v }}", data) == value
