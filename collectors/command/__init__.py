"""Commands that print metrics, and Nagios plugins."""

from collectors.command.plugin import CommandPlugin

__all__ = ["CommandPlugin"]
