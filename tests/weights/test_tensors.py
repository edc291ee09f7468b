"""Weights are dense floating-point tensors; anything else is refused by its key."""

import json
from collections import OrderedDict
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, sha256_file
from simmim_bench.models.frozen import load_weights
from simmim_bench.registry import MODELS
from simmim_bench.training.hooks.start import IdentityHook
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.files import load_checkpoint
from simmim_bench.weights.pretrained import load_pretrained
from simmim_bench.weights.strict import load_whole
from tests.weights.cards import unseal
from tests.weights.test_pretrained import SWIN

KEY = "stages.0.blocks.0.ffn.layers.1.bias"
BAD = {
    "int32": (lambda v: v.to(torch.int32), "has dtype int32, expected float32"),
    "bool": (lambda v: v.bool(), "has dtype bool, expected float32"),
    "complex": (lambda v: v.to(torch.complex64), "has dtype complex64, expected float32"),
    "float8": (lambda v: v.to(torch.float8_e4m3fn), "has dtype float8_e4m3fn, expected float32"),
    "sparse": (lambda v: v.to_sparse(), r"is sparse \(sparse_coo\)"),
    "quantised": (
        lambda v: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8),
        r"is quantised \(qint8\)",
    ),
    "meta": (lambda v: v.to("meta"), "is on the meta device"),
    "overflow": (lambda v: torch.full_like(v, 1e300, dtype=torch.float64), "float32 cannot hold"),
    "repeated": (
        lambda v: v[:1].clone().expand(len(v)),
        r"is a view of shape \(\d+,\) that repeats",
    ),
    "list": (lambda v: v.tolist(), "is a list, not a tensor"),
}
KINDS = pytest.mark.parametrize(("change", "said"), BAD.values(), ids=BAD)


class Small(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(2, 3), nn.BatchNorm1d(3))


def load(state):
    model = Small()
    load_whole(model, {"state_dict": state}, checkpoint="epoch_1.pth", config="some.py")
    return model.state_dict()


@KINDS
def test_a_whole_model_and_a_frozen_network(change, said):
    state = Small().state_dict()
    state["0.bias"] = change(state["0.bias"])
    with pytest.raises(
        BenchError, match=rf"epoch_1.pth does not fit some.py: 0.bias {said}|{said}"
    ):
        load(state)
    with pytest.raises(BenchError, match=f"0.bias .*{said}"):
        load_weights(Small(), state, "some.pth")


@KINDS
def test_a_pretraining_and_its_export(change, said, save_pretraining, tmp_path):
    checkpoint = save_pretraining(SWIN)
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    content = torch.load(checkpoint, weights_only=False)
    key = f"backbone.{KEY}"
    content["state_dict"][key] = change(content["state_dict"][key])
    torch.save(content, checkpoint)
    with pytest.raises(BenchError, match=f"{KEY} .*{said}"):
        export_backbone(checkpoint, tmp_path / "again")
    if said != BAD["list"][1]:
        with pytest.raises(BenchError, match=f"{KEY} .*{said}"):
            convert_file(source=str(checkpoint), destination=tmp_path / "converted")
    unseal(weights)
    state = torch.load(weights, weights_only=True)
    state[KEY] = change(state[KEY])
    torch.save(state, weights)
    card = json.loads(weights.with_suffix(".json").read_text())
    atomic_write_json(weights.with_suffix(".json"), {**card, "sha256": sha256_file(weights)})
    with pytest.raises(BenchError, match=f"{KEY} .*{said}|is not the state dict of a backbone"):
        load_pretrained(MODELS.build(SWIN), weights)


def test_a_nested_tensor():
    state = Small().state_dict()
    state["0.bias"] = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(1)])
    with pytest.raises(BenchError, match=r"0\.bias is a nested tensor"):
        load(state)


def test_the_number_of_such_tensors():
    state = {key: value.to(torch.int32) for key, value in Small().state_dict().items()}
    with pytest.raises(
        BenchError, match=r"0\.weight has dtype int32.* \(and 5 more such tensors\)"
    ):
        load(state)


def test_a_counter_stays_an_integer():
    key, state = "1.num_batches_tracked", Small().state_dict()
    assert load({**state, key: torch.tensor(7, dtype=torch.int32)})[key] == 7
    with pytest.raises(BenchError, match=f"{key} has dtype float32, expected int64"):
        load({**state, key: torch.tensor(7.0)})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_dtypes_are_loaded(dtype):
    state = Small().state_dict()
    loaded = load({k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()})
    assert all(torch.equal(loaded[k], v.to(dtype).to(v.dtype)) for k, v in state.items())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_whole_model_and_a_frozen_network_must_be_finite(value):
    state = Small().state_dict()
    state["1.running_var"] = torch.full((3,), value)
    said = r"NaN or infinity in 1 of 7 tensors, the first is 1\.running_var; the run that wrote it"
    with pytest.raises(BenchError, match=f"^epoch_1.pth does not fit some.py: {said}"):
        load(state)
    with pytest.raises(BenchError, match=said):
        load_weights(Small(), state, "some.pth")


def test_an_infinite_mask_of_the_model_itself_is_loaded():
    model = Small()
    model.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    load_whole(model, {"state_dict": model.state_dict()}, checkpoint="a.pth", config="some.py")


def test_a_resumed_checkpoint_must_be_finite():
    model = Small()
    runner = SimpleNamespace(model=model, work_dir="some_run")
    good = {key: value.clone() for key, value in model.state_dict().items()}
    bad = {**good, "0.bias": torch.full((3,), torch.nan)}
    hook = IdentityHook(run={})
    hook.after_load_checkpoint(runner, {"state_dict": good, "ema_state_dict": good})
    with pytest.raises(BenchError, match="some_run does not fit the model: NaN or infinity in 1"):
        hook.after_load_checkpoint(runner, {"state_dict": bad})
    with pytest.raises(BenchError, match="some_run holds NaN or infinity in 1 of 7 tensors"):
        hook.after_load_checkpoint(runner, {"state_dict": good, "ema_state_dict": bad})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({3: torch.zeros(1)}, "has the key 3 of type int; keys of a checkpoint must be strings"),
        ({"state_dict": {("a",): torch.zeros(1)}}, r"has the key \('a',\) of type tuple"),
        ({"state_dict": [1]}, "state_dict in .* is a list, not a dictionary"),
        ({"state_dict": None}, "state_dict in .* is a NoneType, not a dictionary"),
        ({"ema_state_dict": [1]}, "ema_state_dict in .* is a list, not a dictionary"),
    ],
)
def test_keys_are_strings(content, said, tmp_path):
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(BenchError, match=said):
        load_checkpoint(tmp_path / "odd.pth")


def test_an_attribute_does_not_replace_a_method(tmp_path):
    state = OrderedDict(a=torch.zeros(1))
    state.get = "no method"
    torch.save({"state_dict": state}, tmp_path / "odd.pth")
    with pytest.raises(BenchError, match="has the attribute get, which was not read"):
        load_checkpoint(tmp_path / "odd.pth")


def test_a_view_is_exported_without_the_rest_of_its_storage(save_pretraining, tmp_path):
    checkpoint = save_pretraining(SWIN)
    plain = export_backbone(checkpoint, tmp_path / "plain").weights
    content = torch.load(checkpoint, weights_only=False)
    key = f"backbone.{KEY}"
    value = content["state_dict"][key]
    whole = torch.cat([value, torch.rand(1_000_000)])
    content["state_dict"][key] = whole[: len(value)]
    torch.save(content, checkpoint)
    small = export_backbone(checkpoint, tmp_path / "view").weights
    assert abs(small.stat().st_size - plain.stat().st_size) < 1000


def test_tied_weights_are_loaded_into_each():
    state = Small().state_dict()
    state["1.bias"] = state["1.weight"]
    loaded = load(state)
    assert torch.equal(loaded["1.bias"], loaded["1.weight"])
