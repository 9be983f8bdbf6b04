"""Which series of a target are kept and what they are called: metric relabelling, then limits. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from metrics.label import METRIC_NAME, Labels, format_labels, labels_of, metric_name
from metrics.relabel import Rule, relabel


class SelectionError(Exception):
    """A series that may not be stored; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What `metric_relabel_configs` and the limits of a job say about series that have the target's labels.

    Lengths are in bytes; labels are counted with the metric's name; 0 is no limit.
    """

    rules: tuple[Rule, ...] = ()
    samples: int = 0
    labels: int = 0
    label_name_length: int = 0
    label_value_length: int = 0

    @property
    def looks_at_series(self) -> bool:
        """Whether anything but the number of samples matters."""
        return bool(self.rules or self.labels or self.label_name_length or self.label_value_length)

    def choose(self, series: Labels) -> Labels | None:
        """Return what a series is stored as; None where it is dropped.

        Raises: SelectionError: it lost its name, or breaks a limit.
        """
        if self.rules:
            changed = relabel(dict(series), self.rules)
            if not changed:
                return None
            if METRIC_NAME not in changed:
                raise SelectionError(f"{format_labels(series)[:200]} has no name after metric_relabel_configs")
            series = labels_of(changed)
        self._check(series)
        return series

    def check_count(self, count: int) -> None:
        """Check how many samples are kept.

        Raises: SelectionError: they are too many.
        """
        if 0 < self.samples < count:
            raise SelectionError(f"there are {count} samples, more than the limit of {self.samples}")

    def _check(self, series: Labels) -> None:
        if 0 < self.labels < len(series):
            name = metric_name(series)
            raise SelectionError(f"{name!r} has {len(series)} labels, more than the limit of {self.labels}")
        if not self.label_name_length and not self.label_value_length:
            return
        for name, value in series:
            if 0 < self.label_name_length < len(name.encode()):
                limit = self.label_name_length
                raise SelectionError(f"label name {name[:200]!r} is longer than the limit of {limit} bytes")
            if 0 < self.label_value_length < len(value.encode()):
                limit = self.label_value_length
                raise SelectionError(
                    f"label {name!r} of {metric_name(series)!r} is longer than the limit of {limit} bytes"
                )


KEEP_ALL = Selection()
"""Keeps every series as it is."""
