"""Modules of users: what is found how, what is refused, and where they travel."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from simmim_bench import plugins
from simmim_bench.backbones import base
from simmim_bench.commands import COMMANDS, parser_of
from simmim_bench.config import load_config
from simmim_bench.errors import BenchError
from simmim_bench.masking.strategies import build_strategy, strategies
from simmim_bench.plugins import FLAG, Table, hash_module, import_modules, imported, load_plugins
from simmim_bench.records import protocols
from simmim_bench.records.protocols import (
    Protocol,
    check_known,
    known_protocols,
    register_protocols,
    register_task,
    tasks,
)
from simmim_bench.records.schema import validate
from simmim_bench.registry import MASKS, MODELS
from simmim_bench.testing import save_pretraining
from simmim_bench.testing.pretraining import BACKBONE
from simmim_bench.weights.card import read_card
from simmim_bench.weights.export import export_backbone

ROOT = Path(__file__).parents[1]
MASK = """
from simmim_bench.masking.random_patch import RandomPatchMask
from simmim_bench.registry import MASKS


@MASKS.register_module("{name}")
class {kind}(RandomPatchMask):
    pass
"""
SIZES = {"mask_patch_size": 16, "mask_ratio": 0.6, "token_size": 4}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Function that writes a module into the current folder, which is forgotten afterwards."""
    folder = tmp_path / "my lab"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(sys, "path", list(sys.path))
    strategies()
    base.adapters()
    MODELS.import_from_location()
    monkeypatch.setattr(MASKS, "_module_dict", dict(MASKS.module_dict))
    monkeypatch.setattr(MODELS, "_module_dict", dict(MODELS.module_dict))
    monkeypatch.setattr(base, "_REGISTERED", dict(base._REGISTERED))
    before = set(sys.modules)

    def write(name, text):
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    load_plugins.cache_clear()


def test_a_module_in_the_current_folder_is_found_after_installed_packages(write):
    write("own_mask", MASK.format(name="own", kind="Own"))
    write("json", "raise RuntimeError('a file here must not replace a library')")
    import_modules(["own_mask"])
    assert type(build_strategy("own", **SIZES)).__module__ == "own_mask"
    assert imported() == ("own_mask",)
    import_modules(["own_mask"])  # a second flag of the same name
    code = "import json, pathlib; assert 'my lab' not in json.__file__"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("no_such_module", None, r"there is no module 'no_such_module'; install it with pip, or"),
        ("own.py", "x = 1", r"takes the dotted name of a module, .* got 'own.py'"),
        ("my/own", "x = 1", r"takes the dotted name of a module, .* got 'my/own'"),
        ("own", "def f(:", r"\(SyntaxError: invalid syntax in .*own.py, line 1\); correct it"),
        ("own", "import no_such_library", r"ModuleNotFoundError: No module named 'no_such_lib"),
        ("own", "\n1 / 0", r"ZeroDivisionError: division by zero in .*own.py, line 2\); correct"),
        ("own", "raise SystemExit(0)", r"cannot be imported \(SystemExit: 0"),
        ("own", "import simmim_bench.registry", r"own: the module registers nothing; put a decor"),
        ("own", MASK.format(name="random", kind="Own"), "RandomPatchMask and own.Own are both reg"),
    ],
)  # fmt: skip
def test_what_is_refused_in_one_sentence(write, name, text, said):
    if text is not None:
        write(name.removesuffix(".py"), text)
    with pytest.raises(BenchError, match=f"^--import .*{said}") as caught:
        import_modules([name])
    assert "\n" not in str(caught.value)
    assert imported() == ()


def test_a_name_of_the_package_stays_its_own_also_if_the_user_comes_first(write):
    """The package's files are imported late; the sentence is the same."""
    write("own_mask", MASK.format(name="grid", kind="Own"))
    code = (
        "from simmim_bench.plugins import import_modules; import_modules(['own_mask']); "
        "from simmim_bench.masking.strategies import strategies; strategies()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert "both registered as the masking strategy 'grid'" in done.stderr, done.stderr


def test_unknown_names_of_configs_name_the_flag(write):
    with pytest.raises(ValueError, match=f"unknown masking strategy 'own'.*{FLAG}"):
        build_strategy("own", **SIZES)
    with pytest.raises(KeyError, match=f"unknown simmim_bench model '(simmim_bench.)?Own'.*{FLAG}"):
        MODELS.build({"type": "simmim_bench.Own"})
    with pytest.raises(BenchError, match=f"no adapter for backbone Linear.*{FLAG}"):
        base.adapter_for(torch.nn.Linear(2, 2))


def test_custom_imports_of_a_config(write):
    write("own_mask", MASK.format(name="own", kind="Own"))
    config = write("config", 'custom_imports = dict(imports=["own_mask"])')
    load_config(str(config))
    assert "own" in strategies()
    config.write_text('custom_imports = dict(imports=["no_such_module"])')
    with pytest.raises(BenchError, match=r"custom_imports of .*config.py: .*'no_such_mod"):
        load_config(str(config))
    config.write_text("custom_imports = dict(imports=3)")
    with pytest.raises(BenchError, match=r"must be dict\(imports=\[...\]\) with names of modules"):
        load_config(str(config))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_takes_the_flag(name):
    words = {
        "train": ["c"], "test": ["c", "w"], "predict": ["r", "i"], "evaluate": ["w"],
        "suite": ["s"], "leaderboard": ["check"], "data": ["config", "c"],
        "convert": ["a", "b"], "export": ["c", "--out", "o"],
        "analyze": ["reconstruct", "c", "w", "i"],
    }.get(name)  # fmt: skip
    if words is not None:
        args = parser_of(name).parse_args([*words, "--import", "a.b", "--import", "c"])
        assert args.imports == ["a.b", "c"]


def entry_point(folder, package, text):
    """A package as pip installs it, with an entry point."""
    (folder / f"{package}.py").write_text(text)
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[simmim_bench.plugins]\nmine = {package}\n")


SHOW = """
import sys, simmim_bench.registry, simmim_bench.commands, simmim_bench.records.protocols
assert "own_plugin" not in sys.modules
from simmim_bench.masking.strategies import strategies
from simmim_bench.plugins import imported
print("own" in strategies(), "own_plugin" in sys.modules, imported() == ())
"""


def test_an_installed_package_is_imported_at_the_first_look_up(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    entry_point(tmp_path, "own_plugin", MASK.format(name="own", kind="Own"))
    shown = subprocess.run(
        [sys.executable, "-P", "-c", SHOW], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["True", "True", "True"]
    entry_point(tmp_path, "own_plugin", "import no_such_library")
    broken = subprocess.run(
        [sys.executable, "-P", "-c", SHOW], capture_output=True, text=True, check=False
    )
    assert "entry point 'mine' of own_plugin 1.0: own_plugin: the module" in broken.stderr
    assert "; correct it, or uninstall own_plugin 1.0" in broken.stderr


def test_a_checkpoint_a_card_and_a_run_folder_import_nothing(write):
    write("stranger", "raise AssertionError('it was imported')")
    checkpoint = save_pretraining(Path("run/epoch_2.pth"), {**BACKBONE, "out_indices": (3,)})
    content = torch.load(checkpoint, weights_only=False)
    names = 'custom_imports = dict(imports=["stranger"])\nimports = ["stranger"]\n'
    content["meta"]["cfg"] += names
    torch.save(content, checkpoint)
    write("run/config", names)
    exported = export_backbone(checkpoint, Path("out"))
    card = json.loads(exported.card.read_text())
    exported.card.write_text(json.dumps({**card, "imports": ["stranger"], "seal": None}))
    with pytest.raises(BenchError, match="was changed after"):
        read_card(exported.weights)
    assert "stranger" not in sys.modules
    assert imported() == ()


LOADER = """
import torch
from simmim_bench.masking.strategies import strategies
from simmim_bench.plugins import import_modules


class Names(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return "own" in strategies()


if __name__ == "__main__":
    import_modules(["own_mask"])
    for start in ("spawn", "fork"):
        loader = torch.utils.data.DataLoader(
            Names(), num_workers=1, multiprocessing_context=start
        )
        print([bool(each) for each in loader])
"""


def test_worker_processes_import_what_their_parent_did(write):
    write("own_mask", MASK.format(name="own", kind="Own"))
    script = write("loader", LOADER)
    shown = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert shown.stdout.split("\n")[:2] == ["[True, True]"] * 2, shown.stderr


def test_the_hash_of_a_module_is_that_of_its_package(write):
    write("own/__init__", "")
    write("own/masks", "x = 1")
    first = hash_module("own.masks")
    write("own/inner/more", "y = 1")
    assert hash_module("own.masks") == hash_module("own") != first
    assert "own" not in sys.modules  # nothing is run
    write("single", "z = 1")
    assert len({hash_module("single"), hash_module("own")}) == 2
    with pytest.raises(BenchError, match="there is no module 'no_such_module'"):
        hash_module("no_such_module.masks")


def test_a_table_keeps_names_apart():
    table = Table("thing", {"ours": 1})
    table.add("mine", 2, "a")
    table.add("mine", 3, "a")  # its module was loaded again
    assert dict(table.all()) == {"ours": 1, "mine": 3}
    assert dict(table.added()) == {"mine": 3}
    with pytest.raises(BenchError, match="a and b both register the thing 'mine'; give yours an"):
        table.add("mine", 4, "b")
    with pytest.raises(BenchError, match="simmim_bench and b both register the thing 'ours'"):
        table.add("ours", 4, "b")
    assert table.all()["ours"] == 1


@pytest.fixture
def protocol_parts(monkeypatch):
    for table in (protocols._TASKS, protocols._FOLDERS):
        monkeypatch.setattr(table, "_parts", dict(table._parts))
        monkeypatch.setattr(table, "_modules", dict(table._modules))


def test_a_task_and_protocols_of_a_user(write, protocol_parts):
    fields = {"id": "own-pose", "version": 1, "task": "pose", "dataset": "d", "split": "val",
              "epochs": 1, "metrics": {"a": "b/a"}, "primary": "a"}  # fmt: skip
    with pytest.raises(BenchError, match="there is no task 'pose', .*" + FLAG):
        validate(Protocol, fields, source="a", remedy="delete it")
    with pytest.raises(BenchError, match="a task is named by lower case letters"):
        register_task("My Task")
    register_task("pose")
    assert tasks()[-1] == "pose"
    protocol = Protocol(**fields)
    with pytest.raises(BenchError, match=f"'own-pose', which no config defines.*{FLAG}"):
        check_known(protocol, Path("record.json"), deviates=False)
    write("configs/pose", f"protocol = {fields!r}")
    register_protocols(Path("configs"))
    check_known(protocol, Path("record.json"), deviates=False)
    with pytest.raises(BenchError, match="the folder of protocols nowhere does not exist"):
        register_protocols(Path("nowhere"))
    Path("empty").mkdir()
    with pytest.raises(BenchError, match="no config below empty states a `protocol`"):
        register_protocols(Path("empty"))


def test_a_protocol_reads_bases_of_the_package(write):
    write("configs/mine", '_base_ = "simmim_bench::demo/classification_swin-demo.py"\n'
          'protocol = dict(id="own-digits")')  # fmt: skip
    assert known_protocols(Path.cwd() / "configs")["own-digits"].task == "classification"


def test_nothing_here_is_left_for_others():
    assert plugins.imported() == ()
