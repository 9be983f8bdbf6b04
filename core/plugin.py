"""Plugins by entry point: ours and other people's are found the same way."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from core.errors import ConfigError, PermanentError, Problem


@cache
def _entry_points(group: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in found and found[point.name].value != point.value:
            problem = f"two plugins are called {point.name!r}: {found[point.name].value} and {point.value}"
            raise ConfigError([Problem(group, 0, 0, point.name, problem + "; uninstall one of them")])
        found[point.name] = point
    return dict(sorted(found.items()))


def plugin_names(group: str) -> list[str]:
    """Return the names of all installed plugins of an entry point group, sorted, without importing them."""
    return list(_entry_points(group))


def load_plugin(group: str, name: str) -> object:
    """Import and return the object that a plugin's entry point names.

    Raises: PermanentError: there is no such plugin, or its import fails.
    """
    point = _entry_points(group).get(name)
    if point is None:
        known = ", ".join(_entry_points(group)) or "none"
        raise PermanentError(f"no plugin {name!r} in {group}; installed are: {known}")
    try:
        loaded: object = point.load()
    except Exception as error:
        raise PermanentError(f"plugin {name!r} ({point.value}) does not import: {error!r}") from error
    return loaded
