"""Puts it together: configuration, lifecycle, command line, HTTP API and console."""
