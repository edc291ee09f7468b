"""The planning page: formulas, counts of models, tables that are those of the code."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import counting, planning
from benchmarks.counting import Counted
from benchmarks.planning import Assumptions, Plan
from simmim_bench.errors import BenchError
from simmim_bench.training.cost import counted_flops

PAGE = Path(__file__).parents[2] / "docs" / "planning.md"
DEMO = "demo/simmim_swin-demo.py"
COUNTED = Counted(
    flops=10**11, saved=10**8, saved_recomputed=10**7, kernels=1000, parameters=10**8,
    largest_block=10**7, image_size=192, epochs=100, batch=2048,
)  # fmt: skip


def plan(gpus, rate=1000.0, **assumed):
    return Plan(COUNTED, gpus, rate, Assumptions(**assumed))


def test_counts_equal_those_of_a_step_that_is_computed():
    counted = counting.count(DEMO)
    from benchmarks.gpu.models import config_of, model_of

    cfg = config_of(DEMO)
    model = model_of(cfg).cpu()
    images = torch.zeros(1, 3, 64, 64)
    assert counted.parameters == sum(value.numel() for value in model.parameters())

    def step():
        model(images, mode="loss")["loss"].backward()

    assert counted.flops == counted_flops(step)
    assert counted.image_size == 64
    assert 0 < counted.saved_recomputed < counted.saved / 3
    assert counted.largest_block < counted.parameters
    kept = {}

    def keep(value):
        storage = value.untyped_storage()
        kept[storage.data_ptr()] = storage
        return value

    sizes = []
    for count in (1, 2):
        kept.clear()
        kept_tensors = torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value)
        with kept_tensors, torch.autocast("cpu", torch.bfloat16):
            model(images.repeat(count, 1, 1, 1), mode="loss")
        sizes.append(sum(storage.nbytes() for storage in kept.values()))
    assert counted.saved == pytest.approx(sizes[1] - sizes[0], rel=0.02)


def test_a_step_sends_gradients_twice_and_fsdp_gathers_weights_in_every_iteration():
    weights = 4 * COUNTED.parameters
    assert plan(1).traffic(sharded=False) == plan(1).traffic(sharded=True) == 0
    assert plan(2).traffic(sharded=False) == pytest.approx(2 * weights / 2)
    assert plan(8).iterations == 2  # 256 images, 128 at a time
    assert plan(8).traffic(sharded=True) == pytest.approx((2 * 2 + 1) * weights * 7 / 8)
    assert plan(64).traffic(sharded=True) == pytest.approx(3 * weights * 63 / 64)


def test_traffic_is_hidden_behind_the_backward_pass_of_the_last_iteration():
    calm = plan(8, node_link=1e12)
    assert calm.exposed(sharded=False) == 0
    assert calm.total_rate() == pytest.approx(8 * 1000)
    busy = plan(8, node_link=1e9, link_share=1.0, hidden=0.5)
    travel = 2 * 4e8 * 7 / 8 / 1e9
    assert busy.exposed(sharded=False) == pytest.approx(travel - 0.5 * busy.compute / 2)
    assert busy.total_rate() == pytest.approx(2048 / (0.256 + busy.exposed(sharded=False)))


def test_several_machines_have_the_slower_of_both_links():
    assert plan(8).link() == 0.8 * 450e9
    assert plan(16).link() == 0.8 * 400e9
    assert plan(16).link(1e9) == 0.8e9
    assert plan(8).link(1e9) == 0.8 * 450e9  # one machine


def test_starting_kernels_limits_small_batches():
    assert plan(1).compute == pytest.approx(2.048)
    assert plan(2048, launch=1e-5).compute == pytest.approx(1000 * 1e-5)
    assert plan(2048, launch=1e-5, network=1e15, node_link=1e15).limit(1e5, 1e9) == "launches"


def test_memory_is_shared_by_fsdp_and_activations_are_not():
    whole = plan(8).memory(sharded=False)
    assert whole == pytest.approx(16e8 + 128 * 1e8)
    assert plan(8).memory(sharded=True) == pytest.approx(16e8 / 8 + 8e7 + 128 * 1e8)
    assert plan(8).memory(sharded=False, recomputed=True) == pytest.approx(16e8 + 128 * 1e7)


@pytest.mark.parametrize(
    ("loader", "storage", "network", "limit"),
    [(700.0, 5e9, None, "GPU"), (1.0, 5e9, None, "loader"), (700.0, 1e6, None, "storage"),
     (700.0, 5e9, 1e6, "network")],
)  # fmt: skip
def test_what_cannot_keep_up_is_named(loader, storage, network, limit):
    assert plan(64, storage=storage, launch=0.0).limit(1e5, loader, network) == limit


def test_measured_rates_take_the_place_of_assumed_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "MODELS", {"Swin-B": DEMO})
    file = tmp_path / "gpu.json"
    found = {"what": "Swin-B, bfloat16, batch 256", "value": 4321.0}
    file.write_text(json.dumps({"sections": [{"found": [found]}]}))
    measured = planning.read_measured(file)
    assert measured == {"Swin-B": 4321.0}
    assert planning.plans(Assumptions(), measured)["Swin-B"][0].rate == 4321.0
    assumed = planning.plans(Assumptions(), {})["Swin-B"][0].rate
    assert assumed == pytest.approx(0.35 * 989e12 / counting.count(DEMO).flops)
    file.write_text(json.dumps({"sections": []}))
    with pytest.raises(BenchError, match="no throughput in bfloat16; run its section"):
        planning.read_measured(file)
    with pytest.raises(BenchError, match=r"is no result of benchmarks.gpu"):
        planning.read_measured(tmp_path / "absent.json")


def test_every_assumption_has_a_source():
    shown = planning._assumptions(Assumptions(), {})
    names = [line.split("|")[1].strip() for line in shown.splitlines() if line.startswith("| `")]
    assert len(names) == len(Assumptions.__dataclass_fields__)
    assert all(line.rstrip(" |").split("|")[-1].strip() for line in shown.splitlines()[5:])


def test_tables_go_between_the_marks():
    page = f"a\n{planning.START}\nold\n{planning.END}\nb\n"
    written = planning.written_into(page, "new\n")
    assert written == f"a\n{planning.START}\n\nnew\n\n{planning.END}\nb\n"
    assert planning.written_into(written, "new\n") == written
    with pytest.raises(BenchError, match="has no lines"):
        planning.written_into("a", "b")


@pytest.mark.slow
def test_the_tables_of_the_page_are_those_of_the_code():
    page = PAGE.read_text("utf-8")
    assert planning.written_into(page, planning.tables(Assumptions(), {})) == page


def test_the_page_says_that_no_gpu_was_measured():
    page = PAGE.read_text("utf-8")
    assert "No GPU has been measured" in page
    assert "| measured |" not in page
