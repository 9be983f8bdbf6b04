from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metrics.relabel import Rule, compile_template, relabel
from metrics.relabel_config import RelabelConfig, rules_of

BEFORE = {"a": "foo", "b": "bar", "c": "baz", "__address__": "host:80"}


def after(*rules: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, str] | None:
    return relabel(BEFORE if labels is None else labels, rules_of(RelabelConfig(**rule) for rule in rules))


# Each line says what Prometheus' documentation says about an action or a field.
@pytest.mark.parametrize(
    ("rules", "changes"),
    [
        ([{"source_labels": ["a"], "target_label": "d"}], {"d": "foo"}),
        ([{"source_labels": ["a", "b"], "target_label": "d"}], {"d": "foo;bar"}),
        ([{"source_labels": ["a", "b"], "separator": "-", "target_label": "d"}], {"d": "foo-bar"}),
        ([{"source_labels": ["a", "gone"], "target_label": "d"}], {"d": "foo;"}),
        ([{"target_label": "d", "replacement": "constant"}], {"d": "constant"}),
        ([{"target_label": "a", "replacement": ""}], {"a": ""}),
        ([{"source_labels": ["gone"], "target_label": "a"}], {"a": ""}),
        ([{"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "$1${1}x"}], {"d": "oooox"}),
        ([{"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "$1x"}], {"d": ""}),
        ([{"source_labels": ["a"], "regex": "f(?P<r>.*)", "target_label": "d", "replacement": "$r"}], {"d": "oo"}),
        ([{"source_labels": ["a"], "regex": "oo", "target_label": "d"}], {}),
        ([{"source_labels": ["a"], "regex": "b.*", "target_label": "d", "replacement": "no"}], {}),
        ([{"source_labels": ["a"], "regex": "(f).*", "target_label": "${1}oo", "replacement": "x"}], {"foo": "x"}),
        ([{"source_labels": ["a"], "regex": "(f).*", "target_label": "x$gone", "replacement": "x"}], {"x": "x"}),
        ([{"source_labels": ["__address__"], "regex": "(.*):.*", "target_label": "9", "replacement": "x",
           "action": "labelmap"}], None),
        ([{"source_labels": ["a"], "regex": "fo+", "action": "keep"}], {}),
        ([{"source_labels": ["a"], "regex": "o+", "action": "keep"}], "dropped"),
        ([{"source_labels": ["a"], "regex": "fo+", "action": "drop"}], "dropped"),
        ([{"source_labels": ["a"], "regex": "FO+", "action": "drop"}], {}),
        ([{"source_labels": ["a"], "regex": "(?i)FO+", "action": "Drop"}], "dropped"),
        ([{"source_labels": ["a"], "target_label": "b", "action": "keepequal"}], "dropped"),
        ([{"source_labels": ["a"], "target_label": "b", "action": "dropequal"}], {}),
        ([{"source_labels": ["gone"], "target_label": "none", "action": "keepequal"}], {}),
        ([{"source_labels": ["gone"], "target_label": "none", "action": "dropequal"}], "dropped"),
        ([{"source_labels": ["c"], "target_label": "d", "action": "hashmod", "modulus": 1000}], {"d": "976"}),
        ([{"source_labels": ["a"], "target_label": "d", "action": "uppercase"}], {"d": "FOO"}),
        ([{"source_labels": ["gone"], "target_label": "a", "action": "lowercase"}], {"a": ""}),
        ([{"regex": "(a|b)", "replacement": "my_$1", "action": "labelmap"}], {"my_a": "foo", "my_b": "bar"}),
        ([{"regex": "(b|c)", "action": "labeldrop"}], {"b": "", "c": ""}),
        ([{"regex": "(b|c)", "action": "labelkeep"}], {"a": "", "__address__": ""}),
        ([{"source_labels": ["a"], "target_label": "__tmp"}, {"source_labels": ["__tmp"], "target_label": "d"}],
         {"__tmp": "foo", "d": "foo"}),
    ],
)  # fmt: skip
def test_rules_do_what_the_documentation_says(rules: list[dict[str, Any]], changes: Any) -> None:
    if changes is None:
        with pytest.raises(ValidationError):
            after(*rules, {"action": "replace"})
    elif changes == "dropped":
        assert after(*rules) is None
    else:
        assert after(*rules) == {name: value for name, value in {**BEFORE, **changes}.items() if value}


@pytest.mark.parametrize(("given_text", "upper", "lower"), [("straße", "STRAßE", "straße"), ("İ", "İ", "i")])
def test_letters_change_case_one_for_one(given_text: str, upper: str, lower: str) -> None:
    labels = {"a": given_text}
    for action, expected in (("uppercase", upper), ("lowercase", lower)):
        rule = {"source_labels": ["a"], "target_label": "b", "action": action}
        assert (after(rule, labels=labels) or {})["b"] == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"action": "hashmod", "target_label": "a"}, "needs a modulus"),
        ({"action": "replace"}, "needs a target_label"),
        ({}, "needs a target_label"),
        ({"action": "uppercase", "source_labels": ["a"]}, "needs a target_label"),
        ({"target_label": "a-b"}, "is no label name for action replace"),
        ({"target_label": "0${1}"}, "is no label name for action replace"),
        ({"target_label": "$"}, "is no label name for action replace"),
        ({"target_label": "${1}", "action": "lowercase"}, "is no label name for action lowercase"),
        ({"target_label": "${1}", "action": "hashmod", "modulus": 2}, "is no label name for action hashmod"),
        ({"target_label": "a", "action": "lowercase", "replacement": "x"}, "takes no replacement"),
        ({"action": "labelmap", "replacement": "a-$1"}, "makes no label names"),
        ({"action": "keepequal", "target_label": "a", "regex": "(.*)"}, "takes only source_labels and target_label"),
        ({"action": "dropequal", "target_label": "a", "separator": "-"}, "remove separator"),
        ({"action": "labeldrop", "regex": "x", "source_labels": ["a"]}, "takes only regex; remove source_labels"),
        ({"action": "labelkeep", "regex": "x", "target_label": "a"}, "takes only regex; remove target_label"),
        ({"action": "fold"}, "'fold' is no action"),
        ({"source_labels": ["a-b"], "target_label": "a"}, "'a-b' is no label name"),
        ({"regex": "(", "target_label": "a"}, "is no regular expression"),
        ({"regex": "(?=a)", "target_label": "a"}, "look-around"),
        ({"modulus": -1, "action": "hashmod", "target_label": "a"}, "greater than or equal to 0"),
    ],
)
def test_rules_that_cannot_work_are_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("(", r"\(")):
        RelabelConfig(**section)


LABELS = st.dictionaries(st.sampled_from(["a", "b", "__address__", "__meta_x"]), st.text("ab:;1", min_size=1))
PATTERNS = st.sampled_from(["(.*)", "(a+)(.*)", "a", ".+", "(?:a|(b)).*", ""])
REPLACEMENTS = st.sampled_from(["$1", "${1}-$2", "$0", "x$$y", "", "$9", "$1$"])
RULES = st.builds(
    Rule,
    action=st.sampled_from(
        ["replace", "keep", "drop", "keepequal", "dropequal", "labeldrop", "labelkeep", "uppercase"]
    ),
    source_labels=st.lists(st.sampled_from(["a", "b", "none"])).map(tuple),
    regex=PATTERNS,
    target_label=st.sampled_from(["a", "new"]),
    replacement=REPLACEMENTS,
)


@given(LABELS, st.lists(RULES, max_size=4))
def test_no_rule_leaves_an_empty_value_or_touches_what_it_was_given(labels: dict[str, str], rules: list[Rule]) -> None:
    before = dict(labels)
    result = relabel(labels, rules)
    assert labels == before
    assert result is None or all(result.values())


@given(LABELS, st.lists(RULES, max_size=3), st.lists(RULES, max_size=3))
def test_rules_apply_one_after_the_other(labels: dict[str, str], first: list[Rule], second: list[Rule]) -> None:
    between = relabel(labels, first)
    assert relabel(labels, [*first, *second]) == (None if between is None else relabel(between, second))


@given(LABELS, PATTERNS)
def test_keep_keeps_exactly_what_drop_drops(labels: dict[str, str], regex: str) -> None:
    kept = relabel(labels, [Rule("keep", ("a",), regex=regex)])
    dropped = relabel(labels, [Rule("drop", ("a",), regex=regex)])
    assert (kept is None) != (dropped is None)


@given(st.text("$a1{}b", max_size=8))
def test_any_template_expands_to_something(template: str) -> None:
    match = Rule(regex="(x)(?P<a>y)").pattern.fullmatch("xy")
    assert match is not None
    expanded = compile_template(template)(match)
    assert "$" in template or expanded == template
