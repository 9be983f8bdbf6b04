"""Tests of rules in promtool's file format: made-up series in, alerts and values out, on a clock of their own."""
