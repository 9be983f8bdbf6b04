from pathlib import Path

import pytest

from core.config import Section
from core.errors import ConfigError
from daemon.config import RootConfig, config_model, load
from daemon.preparation import check, refuse_what_needs_a_restart


def _write(folder: Path, text: str) -> Path:
    file = folder / "watchkeeper.yml"
    file.write_text(text)
    return file


def _mistakes(folder: Path, text: str) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in check(_write(folder, text))]


def test_defaults_and_an_empty_file_are_valid(tmp_path: Path) -> None:
    assert load(None).root.global_.scrape_interval == 15.0
    assert check(_write(tmp_path, "")) == []


def test_mistakes_that_show_only_in_context_have_their_place(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("groups: [{name: a, rules: [{alert: B, expr: 'nope('}]}]\n")
    mistakes = _mistakes(
        tmp_path,
        "web: {listen: '127.0.0.1:1', token_file: token}\n"
        "rule_files: [rules.yml]\n"
        "scrape_configs:\n"
        "  - job_name: a\n"
        "    basic_auth: {username: u, password_file: gone}\n"
        "    static_configs: [{targets: ['127.0.0.1:9']}]\n"
        "policies:\n"
        "  - name: p\n"
        "    when: {alert: {}}\n"
        "    do: {operation: command, parameters: {argv: []}}\n",
    )
    places = [mistake.partition(" ")[0] for mistake in mistakes]
    assert any(place.startswith("watchkeeper.yml:1:") for place in places)
    assert any(place.startswith("rules.yml:1:") for place in places)
    assert any(place.startswith("watchkeeper.yml:5:") for place in places)
    assert any(place.startswith("watchkeeper.yml:10:") for place in places)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web: {listen: '0.0.0.0:80'}", "watchkeeper.yml:1:15: web.listen: "),
        ("global: {scrape_interval: 1s, scrape_timeout: 2s}", "watchkeeper.yml:1:47: global.scrape_timeout: is longer"),
        ("- 1", "watchkeeper.yml:1:1: must be a mapping of sections"),
        ("scrape_config: []", "watchkeeper.yml:1:1: scrape_config: unknown key; did you mean 'scrape_configs'?"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert _mistakes(tmp_path, text)[0].startswith(message)


def test_what_a_file_leaves_out_is_as_if_everything_were_validated(tmp_path: Path) -> None:
    whole = config_model().model_validate({})
    for text in ("", "web: {listen: '127.0.0.1:1'}", "global: {scrape_interval: 5s}", "groups: []\nsql: []"):
        root = load(_write(tmp_path, text)).root
        for name in RootConfig.model_fields:
            if name not in root.model_fields_set:
                assert getattr(root, name) == getattr(whole, name), (text, name)


def test_sections_that_are_left_out_are_what_an_empty_one_is() -> None:
    for name, field in config_model().model_fields.items():
        if isinstance(field.default, Section):
            assert field.default == type(field.default).model_validate({}), name


def test_reload_refuses_what_needs_a_restart(tmp_path: Path) -> None:
    running = load(_write(tmp_path, "web: {listen: '127.0.0.1:1'}"))
    refuse_what_needs_a_restart(running, running)
    new = load(_write(tmp_path, "web: {listen: '127.0.0.1:2'}\nstore: {retention: 1h}"))
    with pytest.raises(ConfigError) as caught:
        refuse_what_needs_a_restart(running, new)
    assert [problem.path for problem in caught.value.problems] == ["web.listen", "store.retention"]
