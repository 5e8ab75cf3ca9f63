"""For all tests: no example is timed, the contract kit's assertions are explained like a test module's, and of a crash
it is told where it happened."""

from __future__ import annotations

import faulthandler
import os
import sys

import pytest
import structlog
from hypothesis import settings

# Several files run side by side on few cores: how long one example takes says nothing.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# A server's thread writes lines while a test reads what was captured. To the captured text that is a race which can end
# the interpreter; to the bytes beneath it is none.
structlog.configure(
    processors=[structlog.processors.format_exc_info, lambda logger, name, event: repr(event).encode()],
    logger_factory=structlog.BytesLoggerFactory(),
)

pytest.register_assert_rewrite("tests.contract.driving", "tests.contract.kit")


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Of a crash, tell the thread that crashed: of all threads' stacks together no log keeps the part that matters."""
    # Output is not captured yet, and will be: this goes where it goes now. Open as long as the process runs.
    errors = os.dup(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
    faulthandler.enable(file=errors, all_threads=False)
