"""The messages of Prometheus' remote write protocol, version 1.0: bytes to samples and back, without any I/O."""
