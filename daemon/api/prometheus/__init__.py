"""The HTTP API of Prometheus, so that Grafana and every other of its clients can ask this daemon instead."""
