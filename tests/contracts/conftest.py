"""Failures inside the shared contract show their values."""

import pytest

pytest.register_assert_rewrite("tests.contracts.contract", "simmim_bench.testing")
