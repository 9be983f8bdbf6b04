from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.yaml_file import Mark, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", {}),
        ("a: yes\nb: no\nc: on", {"a": "yes", "b": "no", "c": "on"}),
        ("a: true\nb: null\nc: ~\nd:", {"a": True, "b": None, "c": None, "d": None}),
        ("a: 010\nb: 12:30:45\nc: 2020-01-01", {"a": "010", "b": "12:30:45", "c": "2020-01-01"}),
        ("a: 10\nb: -1.5e3\nc: 1e3\nd: .inf", {"a": 10, "b": -1500.0, "c": 1000.0, "d": float("inf")}),
        ("x: &x {k: 1, l: 2}\ny: {<<: *x, l: 3}", {"x": {"k": 1, "l": 2}, "y": {"k": 1, "l": 3}}),
        ("a: |\n  text\n", {"a": "text\n"}),
        ('a: "5"', {"a": "5"}),
    ],
)
def test_values_are_what_they_look_like(text: str, data: object) -> None:
    assert parse_yaml(text, "f.yml").data == data


def test_every_value_and_key_has_its_place() -> None:
    document = parse_yaml("a:\n  - b: 1\n    c: two\n", "f.yml")
    assert document.values["a", 0, "c"] == Mark(3, 8)
    assert document.keys["a", 0, "c"] == Mark(3, 5)
    assert document.mark(("a", 0, "missing")) == Mark(2, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yml:3:1: a: duplicate key, first set in line 1"),
        ("a: [1, 2", "f.yml:2:1: is no YAML: "),
        ("a: b: c", "f.yml:1:5: is no YAML: "),
        ("a:\n\t- b", "f.yml:2:1: is no YAML: "),
        ("? [a, b]\n: 1", "f.yml:1:3: a key must be plain text"),
        ("a: !!python/object:os.system {}", "is not supported"),
        ("a: !secret x", "f.yml:1:4: a: tag '!secret' is not supported; remove it"),
        ("a: *nowhere", "f.yml:1:4: is no YAML: "),
        ("a: 1\n---\nb: 2", "f.yml:2:1: is no YAML: "),
        ("[" * 100, "f.yml:1:65: nested deeper than 64 levels"),
        (b"a: \xff", "f.yml:1:1: is not UTF-8 text"),
    ],
)
def test_mistake_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f.yml")
    assert message in str(caught.value)


def test_alias_bomb_is_refused_before_it_explodes() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)]
    with pytest.raises(ConfigError, match="expands to more than 200000 values"):
        parse_yaml("\n".join(lines), "bomb.yml")


def test_unreadable_and_oversized_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read: No such file or directory"):
        read_yaml(tmp_path / "missing.yml")
    (tmp_path / "large.yml").write_bytes(b"#" * (8 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="is larger than 8 MiB"):
        read_yaml(tmp_path / "large.yml")


_leaves = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.text("abc: #-'\"\n", max_size=8))
_trees = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["k", "l", "m"]), _trees))
def test_what_yaml_writes_is_read_back(tree: dict[str, object]) -> None:
    assert parse_yaml(yaml.safe_dump(tree), "f.yml").data == tree
