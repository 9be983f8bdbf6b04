"""What goes wrong with a template."""

from __future__ import annotations

from core.errors import UserError


class TemplateError(UserError):
    """A template that cannot be read or rendered; the message says where in it and why."""


class CallError(Exception):
    """A function or method cannot work with what it got; the evaluator adds the place and makes a TemplateError."""
