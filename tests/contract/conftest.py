"""Contract tests: the kit's assertions are explained like those of a test module."""

import pytest

pytest.register_assert_rewrite("tests.contract.driving", "tests.contract.kit")
