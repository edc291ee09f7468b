"""What the libraries import without need is left out, and what a user imports is used."""

import subprocess
import sys

import pytest

LIBRARIES = """
import sys
{first}
from simmim_bench import ops
ops.install()
import mmengine.runner, mmdet.datasets, mmdet.models, mmpretrain.models
from mmengine.registry import OPTIMIZERS
from torch import nn
parameters = [nn.Parameter(nn.Linear(2, 2).weight)]
{then}
"""


def run(then, first=""):
    code = LIBRARIES.format(first=first, then=then)
    command = [sys.executable, "-c", code]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]


def test_large_packages_are_not_imported():
    run(
        "assert not {'transformers', 'sklearn', 'pandas', 'imgaug'} & set(sys.modules)\n"
        "import inspect, sklearn\n"  # later imports find them
        "from mmdet.models.language_models import bert\n"
        "assert bert.HFBertModel is None\n"
        "assert 'class BertModel' in inspect.getsource(bert)"
    )


def test_what_a_left_out_package_would_do_is_refused():
    run(
        "from mmdet.datasets.transforms.generate_line import LineString, iaa\n"
        "for name in (LineString, iaa.Sometimes):\n"
        "    try: name(1)\n"
        "    except Exception as error: assert 'not imported by simmim_bench' in str(error)\n"
        "    else: raise AssertionError(name)"
    )


@pytest.mark.parametrize("first", ["", "import transformers"])
def test_adafactor_is_that_of_transformers(first):
    pytest.importorskip("transformers")
    run(
        "import transformers\n"
        "made = OPTIMIZERS.build({'type': 'Adafactor', 'params': parameters, 'lr': 0.5,\n"
        "    'scale_parameter': False, 'relative_step': False})\n"
        "assert type(made) is transformers.Adafactor and made.defaults['lr'] == 0.5",
        first,
    )
