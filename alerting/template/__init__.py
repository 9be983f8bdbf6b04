"""Templates: Go's text/template with the functions and data of Prometheus and Alertmanager, in bounded time."""

from __future__ import annotations

from alerting.template.error import TemplateError
from alerting.template.number import format_number
from alerting.template.rule import Template, parse_template

__all__ = ["Template", "TemplateError", "format_number", "parse_template"]
