"""Tests for parts of your own: inherit a contract, say what to test, and pytest does the rest.

::

    from simmim_bench.testing import AdapterContract


    class TestMine(AdapterContract):
        adapter = "mine"

        def config(self):
            return {"type": "simmim_bench.MyBackbone"}

Every public method ``test_*`` of a contract is a test without arguments, so ``unittest`` runs them
too. The tests of simmim_bench itself inherit the same contracts. Importing this package does not
import pytest; for the values in a failed ``assert``, add
``pytest.register_assert_rewrite("simmim_bench.testing")`` to ``conftest.py``.
"""

from simmim_bench.testing.adapters import AdapterContract
from simmim_bench.testing.masks import MaskContract
from simmim_bench.testing.parts import DecoderContract, LossContract, TargetContract
from simmim_bench.testing.pretraining import save_pretraining

__all__ = [
    "AdapterContract",
    "DecoderContract",
    "LossContract",
    "MaskContract",
    "TargetContract",
    "save_pretraining",
]
