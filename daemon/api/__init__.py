"""The daemon's HTTP face: JSON API, live stream, /metrics, health checks and the console's files."""
