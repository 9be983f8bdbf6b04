"""What a valid configuration holds, counted for one line of `watchkeeper check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.cli.wording import plural


def summarise(file: Path) -> str:
    """Return `2 scrape targets, 14 rules, 1 service`, or say that only the defaults are watched.

    Raises: ConfigError: the file, or a rule file that it names, cannot be read.
    """
    from core.yaml_file import read_yaml  # noqa: PLC0415
    from daemon.config import read_document  # noqa: PLC0415

    data = read_document(file).data or {}
    counts = {
        "scrape target": _scrape_targets(data),
        "probe": len(data.get("http_probes") or ()),
        "SQL query": sum(len(source.get("queries") or ()) for source in data.get("sql") or ()),
        "command": len(data.get("commands") or ()),
        "rule": _rules(data) + sum(_rules(read_yaml(path).data or {}) for path in _rule_files(file, data)),
        "threshold": len(data.get("thresholds") or ()),
        "receiver": len(data.get("receivers") or ()),
        "route": _routes(data.get("route") or {}),
        "inhibition": len(data.get("inhibit_rules") or ()),
        "service": len(data.get("services") or ()),
        "policy": len(data.get("policies") or ()),
    }
    present = [plural(count, noun) for noun, count in counts.items() if count]
    return ", ".join(present) or "this machine and the default rules"


def _scrape_targets(data: dict[str, Any]) -> int:
    return sum(
        len(static.get("targets") or ())
        for job in data.get("scrape_configs") or ()
        for static in job.get("static_configs") or ()
    )


def _routes(route: dict[str, Any]) -> int:
    return sum(1 + _routes(child) for child in route.get("routes") or ())


def _rules(data: dict[str, Any]) -> int:
    return sum(len(group.get("rules") or ()) for group in data.get("groups") or ())


def _rule_files(file: Path, data: dict[str, Any]) -> list[Path]:
    return sorted({found for pattern in data.get("rule_files") or () for found in _matching(file.parent, pattern)})


def _matching(base: Path, pattern: str) -> list[Path]:
    absolute = Path(pattern).is_absolute()
    return list(Path("/").glob(pattern.lstrip("/")) if absolute else base.glob(pattern))
