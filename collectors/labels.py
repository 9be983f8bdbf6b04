"""Labels that a config file puts on series."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from core.text import Text

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def _check(labels: dict[str, str]) -> dict[str, str]:
    for name in labels:
        if name.startswith("__"):
            raise ValueError(f"{name!r} begins with __, which only labels of scrape_configs may; rename it")
    return _check_names(labels)


def _check_names(labels: dict[str, str]) -> dict[str, str]:
    for name in labels:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no label name; use letters, digits and _, and no digit first")
    return labels


ConfigLabels = Annotated[dict[str, Text], AfterValidator(_check)]
"""Label names and values from a config file."""

TargetLabels = Annotated[dict[str, Text], AfterValidator(_check_names)]
"""Labels of targets, which may begin with `__`: those say how a target is asked, or are there for relabelling."""
