import pytest
from pydantic import Field

from core.config import Duration, Section, validate
from core.errors import ConfigError
from core.yaml_file import parse_yaml


class _Target(Section):
    address: str
    interval: Duration = 15.0
    labels: dict[str, str] = {}


class _File(Section):
    targets: list[_Target] = []
    by_name: dict[str, _Target] = {}
    level: int | str = Field(default=1, alias="the_level")
    optional: _Target | None = None


def _mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validate(parse_yaml(text, "c.yml"), _File)
    return str(caught.value).splitlines()


def test_valid_file_becomes_a_typed_section() -> None:
    config = validate(parse_yaml("targets: [{address: a, interval: 5m}]\nthe_level: x\n", "c.yml"), _File)
    assert config.targets == [_Target(address="a", interval=300.0)]
    assert config.level == "x"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    assert _mistakes(
        "targets:\n"
        "  - adress: a\n"
        "  - address: [1]\n"
        "    interval: 5\n"
        "by_name:\n"
        "  x: {address: b, interval: soon}\n"
        "optional: {address: c, label: {}}\n"
        "nonsense: 1\n"
    ) == [
        "c.yml:2:5: targets.0.address: is required; add it",
        "c.yml:2:5: targets.0.adress: unknown key; did you mean 'address'?",
        "c.yml:3:14: targets.1.address: should be a valid string",
        "c.yml:4:15: targets.1.interval: 5 has no unit; write a duration such as 30s, 5m or 1h30m",
        "c.yml:6:29: by_name.x.interval: 'soon' is no duration; "
        "write a number and a unit, such as 30s, 5m, 1h30m or 7d",
        "c.yml:7:24: optional.label: unknown key; did you mean 'labels'?",
        "c.yml:8:1: nonsense: unknown key; known here: by_name, optional, targets, the_level",
    ]


def test_union_member_names_do_not_show_in_the_path() -> None:
    assert _mistakes("the_level: [1]")[0].startswith("c.yml:1:12: the_level: should be a valid ")


def test_part_of_a_document_is_validated_with_its_own_place() -> None:
    document = parse_yaml("section:\n  address: 5\n", "c.yml")
    with pytest.raises(ConfigError, match=r"c\.yml:2:12: section\.address: should be a valid string"):
        validate(document, _Target, path=("section",))
