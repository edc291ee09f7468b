"""``--try`` finds images for every config that there is, and for datasets that none names yet."""

import argparse
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from simmim_bench.commands import parser_of
from simmim_bench.config import datasets, load_config, stated
from simmim_bench.data.layouts import check_data
from simmim_bench.data.own import Images, OwnDataset, write_dataset
from simmim_bench.errors import BenchError
from simmim_bench.recipe.command_line import config_of
from simmim_bench.training import try_out

ROOT = Path(__file__).parents[2]
LEAVES = sorted(  # a test set for trained models is not tried
    path
    for path in (ROOT / "configs").rglob("*.py")
    if not {"_base_", "robustness"} & {*path.parts}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("try")


@pytest.fixture
def prepared(folder, monkeypatch):
    """Function that prepares a config as ``--try`` does and loads it."""
    monkeypatch.setenv("SIMMIM_BENCH_DATA", "elsewhere")
    monkeypatch.setattr(try_out, "FOLDER", folder)

    def prepare(config, iterations=1):
        args = argparse.Namespace(
            config=str(config),
            try_iterations=iterations,
            work_dir=None,
            pretrained=None,
            from_scratch=False,
            data=None,
            data_root=None,
        )
        assert try_out.prepare_try(args).work_dir
        return load_config(str(config))

    return prepare


def test_there_are_configs():
    assert len(LEAVES) > 30


@pytest.mark.parametrize("config", LEAVES, ids=lambda path: path.stem)
def test_every_config_finds_its_data(prepared, config):
    check_data(prepared(config))


@pytest.mark.parametrize(
    ("name", "base", "folders"),
    [
        ("cifar100", "cifar10_swin-demo", ("train", "val")),
        ("cityscapes", "upernet_swin-demo", ("images/training", "annotations/validation")),
    ],
)
def test_datasets_of_a_known_layout(prepared, tmp_path, name, base, folders):
    root = f'"{{{{$SIMMIM_BENCH_DATA:data}}}}/{name}"'
    loader = f"dict(dataset=dict(data_root={root}))"
    config = tmp_path / "leaf.py"
    config.write_text(
        f'_base_ = ["{ROOT}/configs/small/{base}.py"]\n'
        + "".join(f"{part}_dataloader = {loader}\n" for part in ("train", "val", "test"))
    )
    cfg = prepared(config)
    check_data(cfg)
    for _, dataset in datasets(cfg):
        assert Path(dataset.data_root).name == name
        assert all(any(Path(dataset.data_root, part).iterdir()) for part in folders)


def test_a_dataset_with_an_unknown_layout_is_refused(prepared, tmp_path):
    config = tmp_path / "leaf.py"
    config.write_text(
        f'_base_ = ["{ROOT}/configs/small/simmim_swin-demo.py"]\n'
        'train_dataloader = dict(dataset=dict(data_root="{{$SIMMIM_BENCH_DATA:data}}/nowhere"))\n'
    )
    with pytest.raises(BenchError, match=r"no data at .*nowhere"):
        check_data(prepared(config))


def test_zero_iterations_are_refused(capsys):
    with pytest.raises(SystemExit):
        parser_of("train").parse_args(["config", "--try", "0"])
    assert "argument --try: must be an integer >= 1, got '0'" in capsys.readouterr().err


def test_a_knn_uses_one_neighbour(prepared):
    cfg = prepared(ROOT / "configs" / "imagenet" / "swin-b_knn.py")
    try_out.shrink(cfg, SimpleNamespace(try_iterations=1, world_size=1, has_own_data=False))
    assert cfg.model.neighbours == cfg.val_evaluator.neighbours == [1]


def own_try(config, *flags):
    args = try_out.prepare_try(
        parser_of("train").parse_args([str(ROOT / "configs" / config), "--try", *flags])
    )
    return args, config_of(args)


@pytest.mark.parametrize(
    ("config", "flags"),
    [
        ("small/mask-rcnn_swin-demo_fpn.py", ["--data-root", "FOLDER", "--num-classes", "7"]),
        ("small/cifar10_swin-demo.py", ["--data", "FOLDER"]),
    ],
)
def test_own_data_are_tried_themselves(folder, monkeypatch, tmp_path, config, flags):
    monkeypatch.setenv("SIMMIM_BENCH_DATA", "elsewhere")
    monkeypatch.setattr(try_out, "FOLDER", tmp_path / "demo")
    own = OwnDataset(
        name="mine",
        task="classification",
        classes=[f"class {number}" for number in range(7)],
        channels=2,
        bits=16,
        range=(0, 65535),
        mean=(10.0, 20.0),
        std=(5.0, 6.0),
        images=Images(train=9, val=3),
        fingerprint="0" * 64,
        origin="a test",
    )
    write_dataset(own, tmp_path / "mine")
    flags = [flag.replace("FOLDER", str(tmp_path / "mine")) for flag in flags]
    args, cfg = own_try(config, *flags, "--image-size", "256")
    assert args.from_scratch
    assert os.environ["SIMMIM_BENCH_DATA"] == "elsewhere"
    assert not (tmp_path / "demo").exists()
    run = SimpleNamespace(try_iterations=3, world_size=1, has_own_data=True)
    try_out.shrink(cfg, run)
    for _, dataset in datasets(cfg):
        assert Path(dataset.data_root) == tmp_path / "mine"
        assert dataset.indices in (3, 6, try_out.VALIDATION_IMAGES)
    assert {value for _, value in stated(cfg, "num_classes") if value is not None} == {7}
    assert cfg.protocol.image_size == 256
