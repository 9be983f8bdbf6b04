"""`python -m benchmarks [NAME ...]`: runs the named benchmarks, or all of them."""

from __future__ import annotations

import argparse
import importlib

NAMES = (
    "start_up",
    "idle",
    "flip_to_webhook",
    "sample_to_action",
    "scrape",
    "rules",
    "notify",
    "dashboard",
    "store_disk",
    "store_start_up",
    "million_series",
)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure beside the real peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(NAMES)}; all without one")
    names = parser.parse_args().names or list(NAMES)
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; known are: {', '.join(NAMES)}")
    for name in names:
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
        print(flush=True)


if __name__ == "__main__":
    main()
