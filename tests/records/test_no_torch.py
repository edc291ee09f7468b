"""Records, tables, suites and configs work without torch, and start quickly."""

import subprocess
import sys

import pytest

FIND = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
found = pkgutil.walk_packages(getattr(package, "__path__", []), f"{sys.argv[1]}.")
names = [module.name for module in found]
for name in names:
    importlib.import_module(name)
print(len(names), *sorted(set(sys.argv[2:]) & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("package", "modules", "also"),
    [
        ("simmim_bench.records", 9, ["numpy", "pandas", "mmengine", "matplotlib"]),
        ("simmim_bench.leaderboard", 14, ["pandas", "mmengine"]),
        ("simmim_bench.suite", 5, []),
        ("simmim_bench.config", 0, []),
    ],
    ids=lambda value: str(value).removeprefix("simmim_bench."),
)
def test_no_module_imports_torch(package, modules, also):
    heavy = ["torch", "torchvision", "timm", "mmcv", *also]
    done = subprocess.run(
        [sys.executable, "-c", FIND, package, *heavy], capture_output=True, text=True, check=True
    )
    count, *imported = done.stdout.split()
    assert int(count) >= modules
    assert imported == []
