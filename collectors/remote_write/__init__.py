"""Samples that other programs send by Prometheus' remote write protocol, version 1.0."""
