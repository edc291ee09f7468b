"""Data of every layout become own data that the recipes read, or a sentence says why not."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simmim_bench.data.bands import read_values
from simmim_bench.data.content import content_mistakes
from simmim_bench.data.expected import expected_of
from simmim_bench.data.image_files import image_files
from simmim_bench.data.importing.bring_in import Wishes, bring_in
from simmim_bench.data.layouts import missing_data
from simmim_bench.data.own import read_dataset
from simmim_bench.errors import BenchError
from simmim_bench.recipe.command_line import Changes, load_recipe
from simmim_bench.recipe.dataset import BOXES_ALONE, FITTING
from simmim_bench.recipe.first_steps import first_steps
from simmim_bench.training.mistakes import config_mistakes, data_mistakes
from tests.calls import call
from tests.data.inspect import sets


def imported(source, root, name="mine", **wishes):
    return bring_in(name, source, root, Wishes(**wishes))


def listed(folder):
    """Paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def coloured(path, seed, size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    sets.picture(seed, size=size).save(path)
    return path


def label_map(path, values, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.array(values), mode)
    if mode == "P":
        image.putpalette([*range(256)] * 3)  # fewer colours would be stored in fewer bits
    image.save(path)


KINDS = {
    "images": sets.images,
    "class-folders": sets.class_folders,
    "coco": sets.coco,
    "voc": sets.voc,
    "yolo": sets.yolo,
    "csv": sets.table,
    "parquet": sets.parquet,
    "arrow": sets.arrow,
    "shards": sets.shards,
    "lmdb": sets.lmdb,
    "masks": sets.masks,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_reads_what_was_imported(kind, tmp_path):
    source = KINDS[kind](tmp_path / "mit Leerzeichen ä")
    report = imported(source, tmp_path / "data", name="größe", share=0.7)
    dataset = report.dataset
    assert read_dataset(tmp_path / "data" / "größe") == dataset
    configs = [FITTING["unlabelled"]]
    if dataset.task != "unlabelled":
        configs.append(BOXES_ALONE if dataset.has_masks is False else FITTING[dataset.task])
    for config in configs:
        small = ("train_dataloader.batch_size=1",)
        cfg = load_recipe(config, Changes(data=str(dataset.folder), overrides=small))
        found = (missing_data(cfg), config_mistakes(cfg), data_mistakes(cfg))
        assert [message for each in found for message in each] == []
        assert list(content_mistakes(cfg, [], sample=None)) == []
    assert len(first_steps(expected_of(dataset))) >= len(configs)
    assert not list((tmp_path / "data").glob(".*"))


def test_images_are_linked_or_copied_and_bytes_are_unchanged(tmp_path):
    source = sets.images(tmp_path / "source")
    linked = imported(source, tmp_path / "data").dataset.folder / "train"
    copied = imported(source, tmp_path / "data", name="copy", copy=True).dataset.folder / "train"
    for path in source.iterdir():
        assert (linked / path.name).is_symlink()
        assert not (copied / path.name).is_symlink()
        assert (linked / path.name).read_bytes() == (copied / path.name).read_bytes()


def test_the_fingerprint_is_of_content_and_not_of_places(tmp_path):
    first = imported(sets.voc(tmp_path / "a"), tmp_path / "x").dataset
    second = imported(sets.voc(tmp_path / "b"), tmp_path / "y", copy=True).dataset
    assert first.fingerprint == second.fingerprint
    coloured(tmp_path / "b" / "JPEGImages" / "im.0.jpg", 77, size=sets.SIZE)
    changed = imported(tmp_path / "b", tmp_path / "y", copy=True, force=True).dataset
    assert changed.fingerprint != first.fingerprint


def test_class_names_stay_as_they_are_and_their_folders_are_safe(tmp_path):
    names = ["Bär/rot", ".hidden", "a:b", "Äpfel"]
    lines = ["image,label"]
    for number, name in enumerate(names * 2):
        coloured(tmp_path / "s" / f"{number}.png", number)
        lines.append(f"{number}.png,{name}")
    (tmp_path / "s" / "labels.csv").write_text("\n".join(lines), "utf-8")
    dataset = imported(tmp_path / "s", tmp_path / "data").dataset
    assert sorted(dataset.classes) == sorted(names)
    folders = sorted(path.name for path in (dataset.folder / "train").iterdir())
    assert len(folders) == 4
    assert not any(folder.startswith(".") for folder in folders)
    by_folder = dict(zip(folders, dataset.classes, strict=True))  # labels are in this order
    assert by_folder["Bär_rot"] == "Bär/rot"


def test_a_failed_import_leaves_nothing_and_an_existing_name_is_kept(tmp_path):
    root = tmp_path / "data"
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no image")
    with pytest.raises(BenchError, match=r"no image can be used.*a\.png"):
        imported(tmp_path / "bad", root)
    assert list(root.iterdir()) == []
    imported(sets.images(tmp_path / "good"), root)
    with pytest.raises(BenchError, match="exists; give another name, or replace it with --force"):
        imported(tmp_path / "good", root)
    with pytest.raises(BenchError, match="no image can be used"):
        imported(tmp_path / "bad", root, force=True)
    assert read_dataset(root / "mine").images.train == 4  # the old one
    (root / "theirs").mkdir()
    with pytest.raises(BenchError, match="was not imported"):
        imported(tmp_path / "good", root, name="theirs", force=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [("coco", "published"), ("a/b", "not a path"), ("..", "starts with"), ("x" * 130, "120 bytes")],
)
def test_a_name_that_cannot_be_one_is_refused(name, message, tmp_path):
    with pytest.raises(BenchError, match=message):
        imported(sets.images(tmp_path / "s"), tmp_path / "data", name=name)


def test_a_folder_is_not_imported_into_itself(tmp_path):
    sets.images(tmp_path)
    with pytest.raises(BenchError, match="one in the other"):
        imported(tmp_path, tmp_path / "data")


@pytest.mark.parametrize("name", ["../out.png", "/out.png"])
def test_a_name_in_a_tar_that_leaves_its_folder_is_refused(name, tmp_path):
    content = sets.encoded(0)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    with pytest.raises(BenchError, match="leaves its folder"):
        imported(tmp_path / "a.tar", tmp_path / "data")
    assert not list(tmp_path.rglob("out.png"))


def test_damaged_images_are_skipped_with_the_reason(tmp_path):
    source = tmp_path / "s"
    for number in range(6):
        coloured(source / f"{number}.jpg", number, size=(64, 64))
    cut = source / "0.jpg"
    cut.write_bytes(cut.read_bytes()[:700])
    report = imported(source, tmp_path / "data")
    assert report.dataset.images.train == 5
    assert any("0.jpg" in text and "damaged" in text for text in report.skipped.sentences())


@pytest.mark.parametrize(("most", "bits"), [(4095, 12), (4096, 16), (65535, 16)])
def test_four_bands_of_sixteen_bits_keep_bands_depth_and_statistics(most, bits, tmp_path):
    """Sensors of 12 bits write files of 16."""
    import tifffile

    values = np.random.default_rng(0).integers(0, most, (6, 9, 7, 4), dtype=np.uint16)
    values[5, 0, 0, 0] = most
    (tmp_path / "s").mkdir()
    for number, each in enumerate(values):
        tifffile.imwrite(
            tmp_path / "s" / f"{number}.tif", each, photometric="minisblack", planarconfig="contig"
        )
    dataset = imported(tmp_path / "s", tmp_path / "data").dataset
    assert (dataset.channels, dataset.bits, dataset.range) == (4, bits, (0, 2**bits - 1))
    scaled = values.astype(np.float64) * 255 / (2**bits - 1)
    assert dataset.mean == pytest.approx(scaled.mean((0, 1, 2)), abs=1e-3)
    assert dataset.std == pytest.approx(scaled.std((0, 1, 2)), abs=1e-3)
    cfg = load_recipe(FITTING["unlabelled"], Changes(data=str(dataset.folder)))
    assert cfg.model.backbone.in_channels == 4
    assert list(cfg.model.data_preprocessor.mean) == list(dataset.mean)


def test_files_of_numpy_are_trained_on_as_any_other(tmp_path):
    (tmp_path / "s").mkdir()
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 999, (5, 20, 30), dtype=np.uint16)
        np.save(tmp_path / "s" / f"{number}.npy", values)
    dataset = imported(tmp_path / "s", tmp_path / "data").dataset
    assert dataset.channels == 5
    assert len(image_files(dataset.folder / "train")) == 3
    for path in image_files(dataset.folder / "train"):
        assert read_values(path, channels=5).shape == (20, 30, 5)


def test_images_with_other_bands_than_the_most_are_skipped(tmp_path):
    import tifffile

    for number in range(3):
        coloured(tmp_path / "s" / f"{number}.png", number)
    four = np.zeros((5, 5, 4), np.uint8)
    tifffile.imwrite(
        tmp_path / "s" / "four.tif", four, photometric="minisblack", planarconfig="contig"
    )
    report = imported(tmp_path / "s", tmp_path / "data")
    assert report.dataset.channels == 3
    assert any("four.tif" in text for text in report.skipped.sentences())


SEGMENTED = {
    "palette with 255": ([[0, 1, 2, 255]] * 2, "P", ("class 0", "class 1", "class 2"), False),
    "without 0": ([[1, 2, 2, 255]] * 2, "L", ("class 1", "class 2"), True),
    "0 and 255 alone": ([[0, 255, 255, 0]] * 2, "L", ("background", "object"), False),
}


@pytest.mark.parametrize("kind", SEGMENTED)
def test_the_meaning_of_labels_is_decided_and_said(kind, tmp_path):
    values, mode, classes, reduced = SEGMENTED[kind]
    for number in range(4):
        coloured(tmp_path / "s" / "images" / f"{number}.jpg", number, size=(4, 2))
        label_map(tmp_path / "s" / "masks" / f"{number}.png", np.array(values, np.uint8), mode=mode)
    report = imported(tmp_path / "s", tmp_path / "data")
    assert (report.dataset.classes, report.dataset.reduce_zero_label) == (classes, reduced)
    assert any("label" in note for note in report.notes)
    maps = sorted((report.dataset.folder / "labels").rglob("*.png"))
    assert len(maps) == 4
    present = {int(value) for path in maps for value in np.unique(np.asarray(Image.open(path)))}
    assert present == ({0, 1} if len(classes) == 2 and not reduced else set(values[0]))


def test_zero_is_what_the_user_says(tmp_path):
    source = sets.masks(tmp_path / "s")
    for number, path in enumerate(sorted((source / "img").rglob("*.jpg"))):
        coloured(path, number, size=sets.SIZE)
    (source / "classes.txt").write_text("road\ncar\n")
    assert imported(source, tmp_path / "data").dataset.reduce_zero_label
    with pytest.raises(BenchError, match="have the label 2"):
        imported(source, tmp_path / "data", name="other", zero=True)


def test_maps_in_colours_are_refused_with_the_remedy(tmp_path):
    for number in range(3):
        coloured(tmp_path / "s" / "images" / f"{number}.png", number)
        coloured(tmp_path / "s" / "masks" / f"{number}.png", 7)
    with pytest.raises(BenchError, match=r"in colours .*replace each colour of your palette"):
        imported(tmp_path / "s", tmp_path / "data")


def test_maps_of_sixteen_bits_become_eight_if_their_labels_fit(tmp_path):
    for number in range(3):
        coloured(tmp_path / "s" / "images" / f"{number}.png", number, size=(2, 2))
        label_map(
            tmp_path / "s" / "masks" / f"{number}.png", np.array([[0, 3]] * 2, np.uint16), "I;16"
        )
    folder = imported(tmp_path / "s", tmp_path / "data").dataset.folder
    for path in (folder / "labels").rglob("*.png"):
        with Image.open(path) as opened:
            assert opened.mode == "L"
            assert np.asarray(opened).tolist() == [[0, 3]] * 2


def test_an_lmdb_with_labels_has_classes(tmp_path):
    lmdb = pytest.importorskip("lmdb")
    with (
        lmdb.open(str(tmp_path / "s"), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for number in range(4):
            transaction.put(f"image-{number:09d}".encode(), sets.encoded(number))
            transaction.put(f"label-{number:09d}".encode(), b"cat dog".split()[number % 2])
        transaction.put(b"num-samples", b"4")
    dataset = imported(tmp_path / "s", tmp_path / "data").dataset
    assert (dataset.classes, dataset.images.train, dataset.images.val) == (("cat", "dog"), 2, 2)


def test_names_that_differ_in_the_suffix_alone_get_labels_of_their_own(tmp_path):
    for number, suffix in enumerate(("jpg", "png")):
        coloured(tmp_path / "s" / "train" / "a" / f"x.{suffix}", number)
        coloured(tmp_path / "s" / "train" / "b" / f"x.{suffix}", number + 5)
        coloured(tmp_path / "s" / "val" / "a" / f"x.{suffix}", number + 8)
        coloured(tmp_path / "s" / "val" / "b" / f"x.{suffix}", number + 11)
    folder = imported(tmp_path / "s", tmp_path / "data").dataset.folder
    names = listed(folder / "train")
    assert len({os.path.splitext(name)[0] for name in names}) == 4  # noqa: PTH122


def test_the_command_ends_with_commands_to_train(tmp_path):
    words = ("--from", sets.images(tmp_path / "s ä"), "--out", tmp_path / "data")
    done = call("tools/prepare_data.py", "import", "mine", *words)
    assert done.returncode == 0, done.stderr
    command, *_, last = done.stdout.partition("\nnext:\n")[2].splitlines()
    assert FITTING["unlabelled"] in command
    assert "simmim-bench evaluate" in last
    assert f"--data {tmp_path / 'data' / 'mine'}" in command
    again = call("tools/prepare_data.py", "import", "mine", *words)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.count("\n") == 1
    assert "exists; give another name, or replace it with --force" in again.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--split", "1.5"), "above 0, at most 1"),
        (("--layout", "coco"), "does not fit --layout coco (COCO: JSON with"),
        (("--layout", "other"), "--layout must be one of images, class-folders"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(words, message, tmp_path):
    source = sets.images(tmp_path / "s")
    out = ("--out", tmp_path / "data")
    done = call("tools/prepare_data.py", "import", "mine", "--from", source, *out, *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_name_that_tables_cannot_show_is_refused(tmp_path):
    source = sets.images(tmp_path / "s")
    done = call("tools/prepare_data.py", "import", "a<b", "--from", source, "--out", tmp_path)
    assert done.returncode == 2
    assert "cannot be the name of data" in done.stderr


def test_coco_with_other_orders_and_without_areas_is_completed(tmp_path):
    source = sets.coco(tmp_path / "s")
    for split in ("train", "valid"):
        for number, path in enumerate(sorted((source / split).iterdir())):
            coloured(path, number + 10 * (split == "valid"), size=sets.SIZE)
        file = source / "annotations" / f"{split}.json"
        document = json.loads(file.read_text())
        for each in document["annotations"]:
            del each["area"], each["iscrowd"]
        for each in document["images"]:
            del each["width"], each["height"]
        file.write_text(json.dumps(document))
    folder = imported(source, tmp_path / "data").dataset.folder
    document = json.loads((folder / "annotations" / "instances_train.json").read_text())
    assert [each["id"] for each in document["categories"]] == [3, 7]
    assert {each["area"] for each in document["annotations"]} == {72, 24 * 16}
    assert [each["width"] for each in document["images"]] == [24, 24, 24]


def test_a_coco_file_that_names_a_path_outside_is_refused(tmp_path):
    source = sets.coco(tmp_path / "s")
    file = source / "annotations" / "train.json"
    document = json.loads(file.read_text())
    document["images"][0]["file_name"] = "../../x.jpg"
    file.write_text(json.dumps(document))
    with pytest.raises(BenchError, match="leaves its folder"):
        imported(source, tmp_path / "data")


def test_files_that_may_be_labels_are_named_if_they_are_not_used(tmp_path):
    source = sets.images(tmp_path / "s")
    (source / "0.xml").write_text("<annot")
    report = imported(source, tmp_path / "data")
    assert any("0.xml" in text and "not used" in text for text in report.skipped.sentences())


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(BenchError, match="does not exist"):
        imported(Path(tmp_path / "no"), tmp_path / "data")
