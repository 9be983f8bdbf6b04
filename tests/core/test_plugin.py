import pytest

from core.errors import PermanentError
from core.plugin import load_plugin, plugin_names


def test_our_own_plugins_are_found_by_entry_point() -> None:
    assert {"system", "scrape", "http_probe", "sql", "command", "own"} <= set(plugin_names("watchkeeper.collectors"))


def test_unknown_plugin_is_refused_with_the_names_of_the_known() -> None:
    with pytest.raises(PermanentError, match=r"no plugin 'nope' in watchkeeper\.collectors; installed are: command, "):
        load_plugin("watchkeeper.collectors", "nope")
