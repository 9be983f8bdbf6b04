"""The version of this Watchkeeper, in one place for the package, the logs and the metrics."""

__version__ = "0.1.0"
