"""``data:`` in a suite file: own data of a step, or of every step."""

import json

import pytest
from PIL import Image

from simmim_bench.data.own import Images, OwnDataset, write_dataset
from simmim_bench.errors import BenchError
from simmim_bench.shipped import SUITE_SCHEMA

CONFIG = """
protocol = dict(task="{task}")
model = dict(head=dict(num_classes=10))
loader = dict(dataset=dict(type="{kind}", data_root="data/other", data_prefix="train", pipeline=[]))
train_dataloader = dict(batch_size=1, **loader)
val_dataloader = dict(batch_size=1, **loader)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1)
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
default_hooks = dict()
"""
PRETRAINING = CONFIG.replace(
    'protocol = dict(task="{task}")', 'pretraining = dict(method="simmim")'
)


@pytest.fixture
def own(project, monkeypatch):
    """The project with own data, ``mine``, and configs that read folders."""
    monkeypatch.setenv("SIMMIM_BENCH_DATA", str(project.root / "data"))
    write(project, "0" * 64)
    configs = project.root / "configs"
    for name in ("cls_net", "det_net"):
        text = CONFIG.format(task="classification", kind="CustomDataset")
        (configs / f"{name}.py").write_text(text)
    (configs / "simmim_net.py").write_text(PRETRAINING.format(kind="CustomDataset"))
    return project


def write(project, fingerprint, name="mine", task="classification"):
    folder = project.root / "data" / name
    classes = ("a", "b") if task == "classification" else ()
    for part in ("train", "val"):
        for label in classes:
            place = folder / part / label
            place.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(place / "0.png")
    dataset = OwnDataset(
        name=name,
        task=task,
        classes=classes,
        mean=(1.0, 2.0, 3.0),
        std=(1.0, 2.0, 3.0),
        images=Images(train=2, val=2),
        fingerprint=fingerprint,
        origin="a test",
    )
    write_dataset(dataset, folder)


def given(plan):
    """What ``--data`` says in the command of each training."""
    commands = {stage.id.split("/seed")[0]: list(stage.command) for stage in plan.stages}
    return {
        name: command[command.index("--data") + 1] if "--data" in command else None
        for name, command in commands.items()
        if name.startswith(("pretrain", "finetune"))
    }


def test_every_step_reads_the_data_of_the_suite_unless_it_names_its_own(own):
    cls = {"config": "configs/cls_net.py", "data": "other"}
    own.write_suite(data="mine", tasks={"a": "configs/det_net.py", "b": cls})
    plan = own.plan()
    assert given(plan) == {
        "pretrain/simmim__net": "mine",
        "finetune/a/simmim__net": "mine",
        "finetune/b/simmim__net": "other",
        "finetune/a/scratch__net": "mine",
        "finetune/b/scratch__net": "other",
    }
    assert "data" not in [stage.id for stage in plan.stages]  # nothing is prepared


def test_the_embedded_data_are_prepared_and_a_step_may_have_its_own(own):
    cls = {"config": "configs/cls_net.py", "data": "mine"}
    own.write_suite(data="demo", tasks={"a": "configs/det_net.py", "b": cls})
    plan = own.plan()
    assert plan.stages[0].id == "data"
    assert given(plan)["finetune/b/scratch__net"] == "mine"
    assert given(plan)["finetune/a/scratch__net"] is None
    assert plan.stage("finetune/b/scratch__net/seed0").data == "mine"


def test_stages_run_again_when_the_data_changed_and_only_then(own):
    own.write_suite(data="mine", tasks={"a": "configs/cls_net.py"})
    code, printed = own.run()
    assert code == 0, printed
    _, printed = own.run(dry_run=True)
    assert "0 of 5 stages would run" in printed
    write(own, "1" * 64)
    _, printed = own.run(dry_run=True)
    assert "data changed" in printed
    assert "4 of 5 stages would run" in printed or "5 of 5 stages would run" in printed


@pytest.mark.parametrize(
    ("data", "message"),
    [("nothing", "no own data 'nothing'"), ("plain", "needs class folders .*plain is unlabelled")],
)
def test_a_dry_run_says_that_data_are_missing_or_do_not_fit(data, message, own):
    write(own, "0" * 64, "plain", task="unlabelled")
    own.write_suite(data=data, tasks={"a": "configs/cls_net.py"}, pretrain={})
    with pytest.raises(BenchError, match=message):
        own.run(dry_run=True)


def test_a_step_has_its_image_size(own):
    sized = {"config": "configs/cls_net.py", "image_size": 96}
    own.write_suite(tasks={"a": sized, "b": "configs/det_net.py"})
    plan = own.plan()
    commands = {stage.id: " ".join(stage.command) for stage in plan.stages}
    assert "--image-size 96" in commands["finetune/a/scratch__net/seed0"]
    assert "--image-size" not in commands["finetune/b/scratch__net/seed0"]
    assert plan.stage("finetune/a/scratch__net/seed0").inputs["image size"] == "96"
    with pytest.raises(BenchError, match=r"configs/cls_net.py states no image_size in"):
        own.run(dry_run=True)


def test_the_schema_of_suites_knows_the_key():

    schema = json.loads((SUITE_SCHEMA).read_text())
    assert "data" in schema["properties"]
    assert "data" in schema["$defs"]["Task"]["properties"]
