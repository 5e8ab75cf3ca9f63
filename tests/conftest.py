"""For all tests: no example is timed, and the contract kit's assertions are explained like a test module's."""

from __future__ import annotations

import pytest
from hypothesis import settings

# Several files run side by side on few cores: how long one example takes says nothing.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

pytest.register_assert_rewrite("tests.contract.driving", "tests.contract.kit")
