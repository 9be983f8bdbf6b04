"""Target groups: what every way of discovery yields, and their form in files and HTTP answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import TransientError
from metrics.relabel import LABEL_NAME

ADDRESS = "__address__"


class DiscoveryError(TransientError):
    """Targets cannot be found now; the message says why, in one line. The last known ones stay."""


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Targets with what they have in common.

    Attributes:
        targets: the labels of each, `__address__` among them.
        labels: for all of them, where they do not have their own.
    """

    targets: tuple[Mapping[str, str], ...]
    labels: Mapping[str, str] = field(default_factory=dict)


def group_of(addresses: Sequence[str], labels: Mapping[str, str]) -> TargetGroup:
    """Return a group of plain addresses."""
    return TargetGroup(tuple({ADDRESS: address} for address in addresses), labels)


def groups_from(data: Any, extra: Mapping[str, str]) -> list[TargetGroup]:
    """Return the groups in the data of a file or an answer; `extra` labels are put on all of them.

    Raises: DiscoveryError: the data has another form than Prometheus' documentation says.
    """
    if not isinstance(data, list):
        raise DiscoveryError(f"must be a list of groups with targets and labels, not {_kind(data)}")
    return [_group(item, index, extra) for index, item in enumerate(data)]


def _group(item: Any, index: int, extra: Mapping[str, str]) -> TargetGroup:
    where = f"group {index}"
    if not isinstance(item, dict):
        raise DiscoveryError(f"{where} must have targets and labels; it is {_kind(item)}")
    unknown = sorted(set(item) - {"targets", "labels"})
    if unknown:
        raise DiscoveryError(f"{where} has the unknown key {unknown[0]!r}; known are targets and labels")
    addresses, labels = item.get("targets") or [], item.get("labels") or {}
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise DiscoveryError(f"{where}: targets must be a list of addresses")
    if not isinstance(labels, dict):
        raise DiscoveryError(f"{where}: labels must be a mapping, not {_kind(labels)}")
    checked = {name: _value(name, value, where) for name, value in labels.items()}
    return group_of(addresses, checked | dict(extra))


def _value(name: str, value: Any, where: str) -> str:
    if not LABEL_NAME.fullmatch(name):
        raise DiscoveryError(f"{where}: {name!r} is no label name; use letters, digits and _")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise DiscoveryError(f"{where}: label {name} must be text, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    names: dict[type, str] = {dict: "a mapping", list: "a list", str: "text"}
    return names.get(type(value)) or f"a {type(value).__name__}"
