"""Runs one command and reads what it prints."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from collectors.collector import CollectError, Readings
from collectors.command.config import CommandConfig
from collectors.command.nagios import first_line, performance_values, state_of
from collectors.command.process import Outcome, run_command
from collectors.readings import Batch, Pairs, ReadingsBuilder
from metrics.exposition import ExpositionError, Parsed, parse
from metrics.frame import Family, Layout, MetricType
from metrics.label import labels_of

EXIT_CODE = Family("command_exit_code", MetricType.GAUGE, "Exit code of the command; -n when signal n ended it.")
STATE = Family("nagios_state", MetricType.GAUGE, "State of the plugin: 0 ok, 1 warning, 2 critical, 3 unknown.")
PERFORMANCE = Family("nagios_perfdata", MetricType.GAUGE, "What the plugin measured, in its own unit.")


class CommandCollector:
    """Reads what a command tells."""

    honor_labels = True  # its series carry the labels of the config themselves, for /metrics
    exported = True

    def __init__(
        self,
        config: CommandConfig,
        working_directory: Path,
        *,
        interval_seconds: float,
        timeout_seconds: float,
        signature: object,
    ) -> None:
        self.source = f"command/{config.name}"
        self.interval_seconds = interval_seconds
        self.timeout_seconds = timeout_seconds
        self.target_labels: Mapping[str, str] = {
            "job": "command",
            "instance": config.name,
            "command": config.name,
            **config.labels,
        }
        self.signature = signature
        self._config = config
        self._working_directory = working_directory
        self._labels: Pairs = (("command", config.name), *config.labels.items())
        self._builder = ReadingsBuilder()
        self._parsed: Parsed | None = None
        self._labelled: Layout | None = None

    async def collect(self) -> Readings:
        """Run the command once."""
        config = self._config
        outcome = await run_command(
            config.argv,
            environment={name: os.environ[name] for name in config.environment if name in os.environ},
            working_directory=self._working_directory,
            max_output_bytes=config.max_output,
        )
        return self._nagios(outcome) if config.format == "nagios" else self._prometheus(outcome)

    async def close(self) -> None:
        """Nothing is held open."""

    def _nagios(self, outcome: Outcome) -> Readings:
        output = outcome.output.decode("utf-8", "replace")
        state = state_of(outcome.exit_code)
        batch = Batch()
        batch.add(EXIT_CODE, outcome.exit_code, self._labels)
        batch.add(STATE, state, self._labels)
        for value in performance_values(output):
            batch.add(PERFORMANCE, value.value, (*self._labels, ("label", value.label), ("unit", value.unit)))
        return self._builder.build(batch, problem=(first_line(output) or f"state {state}") if state else "")

    def _prometheus(self, outcome: Outcome) -> Readings:
        if outcome.exit_code != 0:
            said = " ".join(outcome.errors.decode("utf-8", "replace").split())[:200]
            raise CollectError(f"exit code {outcome.exit_code}" + (f": {said}" if said else ""), reason="exit_code")
        try:
            parsed = parse(outcome.output, "text/plain; version=0.0.4", self._parsed)
        except ExpositionError as error:
            raise CollectError(str(error), reason="parse") from error
        if self._labelled is None or self._parsed is None or parsed.layout is not self._parsed.layout:
            self._labelled = self._with_labels(parsed.layout)
        self._parsed = parsed
        return Readings(self._labelled, parsed.values, parsed.families, parsed.timestamps_ms)

    def _with_labels(self, layout: Layout) -> Layout:
        """Put the config's labels on series that lack them; two commands may print the same names."""
        ours = dict(self._labels)
        series = tuple(labels_of({**ours, **dict(labels)}) for labels in layout.series)
        if len(set(series)) != len(series):
            raise CollectError("two of its series differ only in labels that the config sets", reason="parse")
        return Layout(series)
