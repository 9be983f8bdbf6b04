"""Alertmanager's HTTP API, version 2: what amtool, Grafana and a Prometheus that sends alerts speak."""
