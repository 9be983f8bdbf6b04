"""The command line: a thin, quick client of the daemon's HTTP API, and the few commands that work without a daemon.

Nothing here imports the daemon's parts at module level, so that `watchkeeper --help` answers at once.
"""
