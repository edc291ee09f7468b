"""Tar shards and LMDB give what the same files in a folder give, in any process."""

import io
import os
import pickle
import shutil
import sys
import tarfile
import types

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import get
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader

from simmim_bench.config import load_config
from simmim_bench.data.fingerprint import fingerprint_config, reduced_images
from simmim_bench.data.lmdb import lmdb_package, write_lmdb
from simmim_bench.data.prepare.commands import pack
from simmim_bench.data.shards import shard_files, shard_index, write_shards
from simmim_bench.errors import BenchError
from simmim_bench.registry import DATASETS
from simmim_bench.training.hooks.reconstruction import ReconstructionHook

PIPELINE = [
    {"type": "simmim_bench.LoadImage"},
    {
        "type": "simmim_bench.GenerateMask",
        "mask_patch_size": 8,
        "mask_ratio": 0.5,
        "token_size": 4,
    },
    {"type": "PackInputs", "algorithm_keys": ["mask"]},
]


@pytest.fixture
def images(tmp_path):
    """Folder with 12 images of different content, some in folders of their own."""
    generator = np.random.default_rng(0)
    for number in range(12):
        folder = tmp_path / "images" / f"part {number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (16, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.{'png' if number % 2 else 'JPG'}")
    return tmp_path / "images"


@pytest.fixture(params=["shards", "lmdb"])
def packed(request, tmp_path, images):
    """Type name and place of the packed images."""
    out = tmp_path / "packed #1"
    console = Console(file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    assert pack(request.param, sources=[str(images)], out=out, console=console) == 0
    return {"shards": "UnlabelledShards", "lmdb": "UnlabelledLMDB"}[request.param], out


def build(name, root, **options):
    scope = "" if name == "CustomDataset" else "simmim_bench."
    config = {"type": scope + name, "data_root": str(root), "pipeline": PIPELINE, **options}
    if name == "CustomDataset":
        config["_scope_"] = "mmpretrain"
    return DATASETS.build(config)


def same(one, other):
    assert len(one) == len(other)
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first["inputs"], second["inputs"])
        assert torch.equal(first["data_samples"].mask, second["data_samples"].mask)
    assert len({bytes(each["inputs"].numpy()) for each in one}) == len(one)


def test_images_and_masks_are_those_of_the_folder(packed, images):
    expected = build("CustomDataset", images, with_label=False)
    name, place = packed
    dataset = build(name, place.parent, data_prefix=place.name, with_label=False)
    assert len(dataset) == len(expected) == 12
    same([dataset[n] for n in range(12)], [expected[n] for n in range(12)])


def test_access_is_in_any_order(packed):
    dataset = build(*packed)
    forward = [dataset[n] for n in range(12)]
    backward = [dataset[n] for n in reversed(range(12))][::-1]
    same(forward, backward)


@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_read_the_same(packed, start):
    dataset = build(*packed)
    here = [dataset[n] for n in range(12)]  # files are open before the fork
    loader = DataLoader(
        dataset, num_workers=1, batch_size=None, multiprocessing_context=start, shuffle=False
    )
    same(here, list(loader))


def test_it_can_be_pickled_after_use(packed):
    dataset = build(*packed)
    first = dataset[0]
    same([pickle.loads(pickle.dumps(dataset))[0]], [first])  # noqa: S301


def test_reconstructions_of_a_training_read_the_same_images(packed):
    dataset = build(*packed)
    hook = ReconstructionHook(images=3)
    loader = types.SimpleNamespace(dataset=dataset)
    config = load_config("configs/demo/simmim_swin-demo.py")
    hook.before_train(types.SimpleNamespace(train_dataloader=loader, cfg=config))
    shown = [hook.pipeline({"img_path": path, "sample_idx": 0})["inputs"] for path in hook.paths]
    assert [image.shape for image in shown] == [(3, 64, 64)] * 3


def test_a_subset(packed):
    assert len(build(*packed, indices=5)) == 5


def test_labels_are_refused(packed):
    with pytest.raises(BenchError, match="has no labels; set with_label=False"):
        build(*packed, with_label=True)


@pytest.mark.parametrize("name", ["UnlabelledShards", "UnlabelledLMDB"])
def test_a_folder_that_is_not_there(name, tmp_path):
    with pytest.raises(BenchError, match=f"{name}: .*nowhere does not exist"):
        build(name, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "said"), [("UnlabelledShards", r"no \*\.tar"), ("UnlabelledLMDB", "opened as LMDB")]
)
def test_a_folder_with_something_else(name, said, images):
    with pytest.raises(BenchError, match=said):
        build(name, images)


def test_a_corrupt_image_gets_the_sentence_of_any_other(tmp_path, images):
    broken = sorted(images.rglob("*.png"))[0]
    broken.write_bytes(broken.read_bytes()[:200])
    where = sorted(images.rglob("*.*")).index(broken)
    for write, name in ((write_shards, "UnlabelledShards"), (write_lmdb, "UnlabelledLMDB")):
        (tmp_path / name).mkdir()
        write(sorted(images.rglob("*.*")), tmp_path / name, lambda _: None)
        dataset = build(name, tmp_path / name)
        with pytest.raises(BenchError, match=rf"image \w+://.*{where:09d}.* cannot be read"):
            dataset[where]
        assert dataset[where - 1]["inputs"].shape == (3, 16, 24)


@pytest.mark.parametrize(
    ("write", "name"), [(write_shards, "UnlabelledShards"), (write_lmdb, "UnlabelledLMDB")]
)
def test_larger_images_are_written_smaller(tmp_path, write, name):
    photo = Image.fromarray(load_sample_images().images[0])  # 640 x 427
    photo.save(tmp_path / "0.png")
    photo.rotate(90, expand=True).save(tmp_path / "1.jpg", quality=90)
    photo.resize((50, 40)).save(tmp_path / "2.webp")
    files = [tmp_path / f"{n}.{end}" for n, end in enumerate(("png", "jpg", "webp"))]
    out = tmp_path / "out"
    out.mkdir()
    write(files, out, lambda _: None, short_side=64)
    stored = [get(entry["img_path"]) for entry in build(name, out, pipeline=[]).load_data_list()]
    found = [Image.open(io.BytesIO(content)) for content in stored]
    assert [(image.format, image.size) for image in found] == [
        ("JPEG", (96, 64)),
        ("JPEG", (64, 96)),
        ("WEBP", (50, 40)),
    ]
    assert stored[2] == files[2].read_bytes()
    expected = photo.resize((96, 64), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(found[0], float) - np.asarray(expected, float)).mean() < 2


def test_runs_on_reduced_images_say_so(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        Image.new("RGB", (90, 70), (number, 0, 0)).save(images / f"{number}.png")
    console = Console(file=io.StringIO(), width=200)
    given = {"sources": [str(images)], "console": console}
    for folder, side in (("as they are", None), ("reduced", 32)):
        assert pack("shards", out=tmp_path / folder, short_side=side, **given) == 0
    cfg, same = (
        Config({"train_dataloader": {"dataset": {
            "type": "simmim_bench.UnlabelledShards", "data_root": str(tmp_path / folder),
        }}})
        for folder in ("reduced", "as they are")
    )  # fmt: skip
    assert list(reduced_images(cfg)) == ["train images were reduced to a shorter side of 32 px"]
    assert list(reduced_images(same)) == []
    prints = [fingerprint_config(each).parts["train"] for each in (cfg, same)]
    folder = {"type": "CustomDataset", "data_root": str(images)}
    unpacked = Config({"train_dataloader": {"dataset": folder}})
    assert fingerprint_config(unpacked).parts["train"] == prints[1] != prints[0]
    with pytest.raises(BenchError, match=r"--short-side writes JPEGs, .* leave one of them out"):
        pack("shards", out=tmp_path / "x", short_side=32, channels=4, **given)


def test_without_lmdb_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(BenchError, match=r"pip install 'simmim_bench\[lmdb\]'"):
        lmdb_package()
    with pytest.raises(BenchError, match="lmdb"):
        build("UnlabelledLMDB", tmp_path)


def test_offsets_are_those_of_the_bytes(tmp_path, images):
    files = sorted(images.rglob("*.*"))
    out = tmp_path / "out"
    out.mkdir()
    write_shards(files, out, lambda _: None, limit=4000)
    shards = shard_files(out)
    assert len(shards) > 2
    found = [
        shard.read_bytes()[offset : offset + size]
        for shard in shards
        for _, offset, size in shard_index(shard)
    ]
    assert found == [path.read_bytes() for path in files]


def test_the_index_is_kept_until_the_shard_changes(tmp_path, images, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    files = sorted(images.rglob("*.*"))
    write_shards(files, out, lambda _: None)
    [shard] = shard_files(out)
    first = shard_index(shard)
    with monkeypatch.context() as patch:
        patch.setattr(tarfile, "open", lambda *_: pytest.fail("it was read again"))
        assert shard_index(shard) == first
    write_shards(files[:3], out, lambda _: None)
    assert len(shard_index(shard)) == 3
    shard.with_name(f"{shard.name}.index.json").write_text("{")
    assert len(shard_index(shard)) == 3


def test_a_shard_that_shrank_after_it_was_indexed(tmp_path, images):
    out = tmp_path / "out"
    out.mkdir()
    write_shards(sorted(images.rglob("*.*")), out, lambda _: None)
    dataset = build("UnlabelledShards", out)
    [shard] = shard_files(out)
    os.truncate(shard, 1000)
    with pytest.raises(BenchError, match=r"cannot be read .*ends after 488 of"):
        dataset[0]


def test_a_damaged_header_within_a_shard_is_refused(tmp_path, images):
    """tarfile ends its list there and says nothing."""
    out = tmp_path / "out"
    out.mkdir()
    write_shards(sorted(images.rglob("*.*")), out, lambda _: None)
    [shard] = shard_files(out)
    with tarfile.open(shard) as tar:
        second = tar.getmembers()[1].offset
    content = bytearray(shard.read_bytes())
    content[second + 5] ^= 1
    shard.write_bytes(content)
    with pytest.raises(BenchError, match=r"\.tar is damaged after 1 entries"):
        shard_index(shard)


def test_truncated_shards_are_refused(tmp_path, images):
    out = tmp_path / "out"
    out.mkdir()
    write_shards(sorted(images.rglob("*.*")), out, lambda _: None)
    [shard] = shard_files(out)
    os.truncate(shard, 5000)
    with pytest.raises(BenchError, match=r"000000\.tar is truncated"):
        build("UnlabelledShards", out)


def test_webdataset_samples_with_other_members(tmp_path, images):
    """Labels and texts beside an image are passed over."""
    out = tmp_path / "out"
    out.mkdir()
    with tarfile.open(out / "a.tar", "w") as tar:
        for path in sorted(images.rglob("*.*"))[:2]:
            tar.add(path, f"n01440764/{path.name}")
            label = tmp_path / "label"
            label.write_text("3")
            tar.add(label, f"n01440764/{path.stem}.cls")
    assert len(build("UnlabelledShards", out)) == 2


def test_packing_refuses_what_it_cannot_do(tmp_path, images):
    console = Console(file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    for sources, out, said in (
        ([], tmp_path / "o", "one --source"),
        ([str(images)], None, "a new --out"),
        ([str(images)], images, "exists"),
        ([str(tmp_path / "none")], tmp_path / "o", "none does not exist"),
    ):
        with pytest.raises(BenchError, match=said):
            pack("shards", sources=sources, out=out, console=console)
    assert not (tmp_path / "o").exists()


def test_a_full_disk_leaves_nothing(tmp_path, images, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=100))
    console = Console(file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with pytest.raises(BenchError, match="GB free"):
        pack("shards", sources=[str(images)], out=tmp_path / "o", console=console)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
