"""For all tests: the contract kit's assertions are explained like those of a test module, whoever imports it."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.contract.driving", "tests.contract.kit")
