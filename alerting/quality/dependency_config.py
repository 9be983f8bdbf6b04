"""The section `dependencies` of the config file: what needs what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from core.config import Duration, Section


class DependencySection(Section):
    """What one service or target needs."""

    name: str = Field(
        description="The service, instance or job: the first of these labels that an alert has.",
        min_length=1,
        examples=["shop"],
    )
    depends_on: list[str] = Field(
        description="The services, instances or jobs without which it cannot be well.",
        min_length=1,
        examples=[["auth", "db:5432"]],
    )
    wait: Duration = Field(
        15.0,
        ge=0,
        le=600,
        description="How long its alerts wait for one of what it depends on before they are told; 0s tells at once.",
        examples=["30s"],
    )


def all_needs(sections: Sequence[DependencySection]) -> dict[str, frozenset[str]]:
    """Return, for each name, all that it needs, also through others.

    Raises: ValueError: a name is given twice, or needs itself.
    """
    direct = {section.name: section.depends_on for section in sections}
    if len(direct) < len(sections):
        names = [section.name for section in sections]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice; list all that it needs in one place")
    return {name: frozenset(_reached(name, direct)) for name in direct}


def _reached(name: str, direct: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    ahead = list(direct[name])
    while ahead:
        needed = ahead.pop()
        if needed == name:
            raise ValueError(f"{name!r} depends on itself, perhaps through others; take one of these dependencies out")
        if needed not in found:
            found.add(needed)
            ahead += direct.get(needed, ())
    return found
