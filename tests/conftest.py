"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# A machine may be busy: how long an example takes is a question for benchmarks, not for a test.
settings.register_profile("watchkeeper", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("watchkeeper")
