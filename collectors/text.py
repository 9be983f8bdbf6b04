"""Text of a config file, for collectors' sections; core.text has it."""

from core.text import Text

__all__ = ["Text"]
