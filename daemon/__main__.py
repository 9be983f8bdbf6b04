"""The command `watchkeeper`, also as `python -m daemon`."""

from __future__ import annotations

import gc

# Nothing that is imported is garbage: without collections in between, a start takes a fifth less. `run` turns them on
# again once the daemon is ready; every other command ends soon.
gc.disable()

from daemon.cli.main import main  # noqa: E402 - after the line above

if __name__ == "__main__":
    main()
