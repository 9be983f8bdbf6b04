"""Sends all samples on to other stores, by Prometheus' remote write protocol, version 1.0."""
