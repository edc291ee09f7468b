"""``benchmarks.gpu`` on this machine: sections, limits, tables, and the peer that it measures."""

import importlib
import json
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
import torch

from benchmarks import sparse
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import basics, hooks, models, speed, steps, wheels
from benchmarks.gpu.section import SECTIONS, Found, Section
from simmim_bench.errors import BenchError
from simmim_bench.registry import MODELS


def test_every_section_is_run_once_and_has_its_function():
    assert len(SECTIONS) == 13
    assert sorted(section.name for section in SECTIONS) == sorted(gpu.ORDER)
    assert [section.number for section in SECTIONS] == list(range(1, 14))
    for section in SECTIONS:
        module = importlib.import_module(f"benchmarks.gpu.{section.module}")
        assert callable(getattr(module, section.name))


@pytest.mark.parametrize(
    ("value", "bound", "holds"),
    [(1, None, True), (1, 1, True), (1.01, 1, False), (float("nan"), 1, False), (0, 0, True)],
)
def test_a_value_holds_within_its_bound_and_nan_never(value, bound, holds):
    assert Found("a", value, bound=bound).holds is holds


def test_a_section_without_its_packages_or_a_gpu_is_skipped_by_name():
    absent = Section(1, "goldens", "basics", 5, needs=("torch", "no_such_package"))
    result = gpu._run(absent, small=True, end=time.monotonic() + 60)
    assert (result["state"], result["note"]) == ("skipped", "no_such_package not installed")
    if not torch.cuda.is_available():
        result = gpu._run(Section(5, "overflow", "trainings", 5, needs_gpu=True), True, 1e12)
        assert (result["state"], result["note"]) == ("skipped", "needs a GPU")


def test_a_section_is_ended_at_its_limit_with_what_it_started_and_keeps_its_values():
    inner = "import time; time.sleep(60)"
    code = (
        f"import subprocess, sys; print('found 1', flush=True); "
        f"child = subprocess.Popen([sys.executable, '-c', {inner!r}]); "
        f"print(child.pid, flush=True); child.wait()"
    )
    state, output, errors = gpu._watched([sys.executable, "-c", code], limit=8)
    assert state == "stopped"
    assert output[0] == "found 1"
    assert "stopped after 8 s" in errors
    alive = [one for one in psutil.process_iter(["status"]) if one.pid == int(output[1])]
    assert [one for one in alive if one.info["status"] != psutil.STATUS_ZOMBIE] == []


def test_what_fails_and_what_is_beyond_its_bound_is_in_the_table():
    found = [Found("error", 0.5, bound=0.1).json(), Found("name", "a|b").json()]
    result = {"number": 2, "name": "goldens", "state": "beyond", "seconds": 3.0, "note": ""}
    table = gpu.markdown({"sections": [{**result, "found": found}]})
    assert "| 2 goldens | beyond | 3 | 1 |  |" in table
    assert "| 2 | error | 0.5  | 0.1 **beyond** |" in table
    assert "| 2 | name | a/b  |  |" in table


def test_the_originals_tensors_hold_and_a_wrong_weight_does_not(tmp_path, monkeypatch):
    assert all(found.holds for found in basics.goldens(True, tmp_path))
    from tests.parity.golden import Golden

    right = Golden.__init__

    def wrong(self, name):
        right(self, name)
        next(self.model.decoder.parameters()).data *= 1.01

    monkeypatch.setattr(Golden, "__init__", wrong)
    beyond = [found.what for found in basics.goldens(True, tmp_path) if not found.holds]
    assert "swin, float32: loss, relative error" in beyond
    assert "vit, float32: gradient norms, relative error" in beyond


def test_operators_hold(tmp_path):
    found = list(basics.operators(True, tmp_path))
    assert len(found) == 15
    assert all(one.holds for one in found)


def test_accumulated_gradients_equal_those_of_the_whole_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "SMALL", {"Swin": "demo/simmim_swin-demo.py"})
    found = list(steps.accumulation(True, tmp_path))
    assert len(found) == 2
    assert all(one.holds for one in found)


def test_graphs_are_counted_apart_from_those_made_again_and_from_breaks():
    graphs, layer = steps._Graphs(), torch.nn.Linear(4, 4)
    layer.compile(backend="eager")
    for step, rows in enumerate((2, 2, 2)):
        layer(torch.zeros(rows, 4))
        graphs.count(step)
    assert (graphs.first, graphs.later, graphs.breaks) == (1, 0, 0)
    graphs = steps._Graphs()

    def broken(values):
        torch._dynamo.graph_break()
        return values * 2

    compiled = torch.compile(broken, backend="eager")
    for step, rows in enumerate((2, 3)):
        compiled(torch.zeros(rows, 4))
        graphs.count(step)
    assert graphs.first >= 1
    assert graphs.later >= 1
    assert graphs.breaks >= 1


@pytest.mark.parametrize("as_trained", [True, False])
def test_attention_and_kernel_are_those_of_a_training_or_not(as_trained):
    cfg = models.config_of("demo/simmim_swin-demo.py")
    model = models.model_of(cfg, fast=as_trained)
    kinds = {type(module).__name__ for module in model.modules()}
    assert ("FastShiftWindowMSA" in kinds) is as_trained
    assert ("ShiftWindowMSA" in kinds) is not as_trained
    wrapper = models.wrapper_of(cfg, model, "float32", fused=as_trained)
    assert all(bool(group["fused"]) is as_trained for group in wrapper.optimizer.param_groups)


def small_peer():
    arch = {"embed_dims": 12, "depths": [2, 2, 2, 2], "num_heads": [2, 3, 4, 6]}
    backbone = {"arch": arch, "img_size": 64, "stage_cfgs": {"block_cfgs": {"window_size": 2}}}
    ours = {
        "type": "mmpretrain.SwinTransformer", "arch": arch, "img_size": 64, "window_size": 2,
        "drop_path_rate": 0.0,
    }  # fmt: skip
    theirs = {
        **speed.PEER,
        "backbone": {**speed.PEER["backbone"], **backbone},
        "neck": {**speed.PEER["neck"], "in_channels": 96},
    }
    return sparse.build("SimMIM", ours, {"type": "simmim_bench.LinearDecoder"}), MODELS.build(
        theirs
    )


def test_the_peer_with_our_weights_has_our_loss():
    ours, theirs = small_peer()
    theirs.load_state_dict(speed.renamed(ours.state_dict()), strict=True)
    batch = sparse.batch(2, 64, 4, 0.5)
    losses = [model(*batch, mode="loss")["loss"].item() for model in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_calls_of_an_iteration_are_counted_without_the_profilers_own():
    names = ["cudaStreamSynchronize"] * 20 + ["cudaDeviceSynchronize", "cudaLaunchKernel"]
    names += ["Memcpy HtoD (Pinned -> Device)"] * 30 + ["Memcpy DtoD (Device -> Device)"] * 50
    names += ["Memcpy DtoH (Device -> Pageable)"] * 10 + ["aten::_local_scalar_dense"] * 9
    events = [SimpleNamespace(name=name) for name in names]
    found = hooks.counts(SimpleNamespace(events=lambda: events), 10)
    assert found == {"synchronisations": 2.0, "copies": 4.0, "items": 0.0}


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128", "matrix products"),
        ("void pytorch_flash::flash_fwd_kernel<...>", "attention"),
        ("void at::native::vectorized_layer_norm_kernel<...>", "norms"),
        ("void at::native::multi_tensor_apply_kernel<...FusedAdamMathFunctor...>", "optimiser"),
        ("void at::native::elementwise_kernel<128, 4, direct_copy_kernel_cuda>", "copies"),
        ("void at::native::vectorized_elementwise_kernel<4, GeluCUDAKernelImpl>",
         "element by element"),
        ("ncclDevKernel_AllReduce", "communication"),
        ("void at::native::upsample<float>", "other"),
    ],
)  # fmt: skip
def test_kernels_have_kinds(kernel, kind):
    assert speed.kind_of(kernel) == kind


def test_wheels_follow_requirements_but_not_those_of_what_is_installed():
    names = wheels.needed(["onedl-mmcv"], {"numpy"})
    assert {"onedl-mmcv", "onedl-mmengine", "yapf", "opencv-python-headless"} <= names
    assert names.isdisjoint({"numpy", "opencv-python", "torch"})
    assert "contourpy" in names  # of matplotlib
    assert "contourpy" not in wheels.needed(["onedl-mmcv"], {"matplotlib"})
    assert wheels.pinned(["yapf==0.43.0", "# no"], {"yapf", "x"}) == {
        "x": "x",
        "yapf": "yapf==0.43.0",
    }


def test_too_many_wheels_are_an_error(tmp_path, monkeypatch, capsys):
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"x" * 2000)
    wheels.report(tmp_path)
    assert "1 wheels" in capsys.readouterr().out
    monkeypatch.setattr(wheels, "LIMIT", 1000)
    with pytest.raises(BenchError, match="the limit is 0 MiB; name what the machine has"):
        wheels.report(tmp_path)


def call(folder, *words, timeout=550):
    command = [sys.executable, "-m", "benchmarks.gpu", str(folder), "--small", *words]
    done = subprocess.run(
        command, cwd=sparse.ROOT, capture_output=True, text=True, check=False, timeout=timeout
    )
    stored = json.loads((folder / "gpu.json").read_text())
    assert (folder / "gpu.md").read_text() == done.stdout
    return done, {result["name"]: result for result in stored["sections"]}


NEEDS_GPU = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="a CPU compiles the models for five minutes"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [("environment", "overflow", "accumulation"), ("processes", "profile"), ("stops",),
     ("loader", "throughput"), ("tries",), ("precision",),
     pytest.param(("recomputation",), marks=NEEDS_GPU)],
    ids="-".join,
)  # fmt: skip
def test_sections_run_on_this_machine(tmp_path, names):
    done, results = call(tmp_path, "--minutes", "9", "--sections", *names)
    assert list(results) == sorted(names, key=lambda name: results[name]["number"])
    states = {name: (result["state"], result["note"]) for name, result in results.items()}
    skipped = set() if torch.cuda.is_available() else {"overflow"} & set(names)
    assert {name for name, (state, _) in states.items() if state != "done"} == skipped, states
    assert all(results[name]["found"] for name in set(names) - skipped)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_no_section_starts_after_the_end_of_the_time(tmp_path):
    done, results = call(tmp_path, "--minutes", "0", "--sections", "environment", "goldens")
    assert {result["state"] for result in results.values()} == {"no time left"}
    assert done.returncode == 1
