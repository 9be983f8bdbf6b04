"""The command `watchkeeper`, also as `python -m daemon`."""

from __future__ import annotations

from daemon.cli.main import main

if __name__ == "__main__":
    main()
