"""What holds for all tests."""

import gc

from hypothesis import HealthCheck, settings

# A machine may be busy: how long an example takes is a question for benchmarks, not for a test.
settings.register_profile("watchkeeper", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("watchkeeper")


def pytest_collection_finish() -> None:
    """Leave modules and tests, which live until the end, out of every later look for garbage."""
    gc.collect()
    gc.freeze()
