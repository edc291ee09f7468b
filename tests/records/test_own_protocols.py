"""Own protocols: read from the text of their config, which is not run, and kept with it."""

import json

import pytest

from simmim_bench.errors import BenchError
from simmim_bench.io import json_text
from simmim_bench.records.own_protocols import (
    check_protocol,
    make_own,
    read_own,
    unite_own,
)
from simmim_bench.records.protocols import is_own
from simmim_bench.shipped import CONFIGS
from tests.records.sharing import PART, demo_record, own_record, write_config


def keep(store, own):
    folder = store / own.definition.folder
    folder.mkdir(parents=True)
    for path, text in own.files().items():
        (store / path).write_text(text)
    (folder / "protocol.json").write_text(json_text(own.definition.as_json()))
    return folder


def test_a_protocol_is_read_from_the_texts_of_a_config_and_its_bases(tmp_path):
    own = make_own(write_config(tmp_path))
    assert own.protocol == own_record().protocol
    assert own.config.name.endswith("-my-task.py")
    names = [file.name.partition("-")[2] for file in own.definition.files]
    assert names[-2:] == ["cells.py", "my-task.py"]
    assert "classification_swin-demo.py" in names
    assert own.texts[own.definition.files[-2].name] == PART
    assert is_own(own.protocol)
    assert not is_own(demo_record().protocol)


def test_it_is_read_again_without_the_files_it_was_made_of(tmp_path):
    own = make_own(write_config(tmp_path / "mine"))
    keep(tmp_path / "store", own)
    for path in (tmp_path / "mine").rglob("*.py"):
        path.unlink()
    assert read_own(tmp_path / "store") == {("my-cells", 2): own}
    assert read_own(tmp_path / "nothing") == {}


def test_a_changed_text_is_refused(tmp_path):
    folder = keep(tmp_path, make_own(write_config(tmp_path / "mine")))
    [config] = folder.glob("*-my-task.py")
    config.write_text(config.read_text().replace("my cells", "my cell"))
    with pytest.raises(BenchError, match=r"my-task.py is not the file whose SHA-256 is stated"):
        read_own(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda made: made["protocol"].update(epochs=8),
            r"protocol.epochs is 8, its config st.* 7",
        ),
        (lambda made: made["files"][-1].update(name="../../x.py"), "files.* match pattern"),
        (lambda made: made["files"][-1].update(name="1-a/b.py"), "files.* match pattern"),
        (lambda made: made["files"][-1].update(bases=[99]), "does not stand before it"),
        (lambda made: made["files"][-1].update(bases=[]), "has other bases than stated"),
        (lambda made: made["files"][-1].update(bases=[0, -1]), "greater than or equal to 0"),
        (lambda made: made["files"].append(made["files"][0]), "two files have the same name"),
        (lambda made: made.update(schema_version=2), "schema_version is 2"),
    ],
)
def test_a_definition_that_does_not_fit_its_texts_is_refused(tmp_path, change, said):
    folder = keep(tmp_path, make_own(write_config(tmp_path / "mine")))
    made = json.loads((folder / "protocol.json").read_text())
    change(made)
    (folder / "protocol.json").write_text(json.dumps(made))
    with pytest.raises(BenchError, match=said):
        read_own(tmp_path)


def test_a_folder_of_another_name_is_refused(tmp_path):
    folder = keep(tmp_path, make_own(write_config(tmp_path / "mine")))
    folder.rename(folder.with_name("my-cells-v3"))
    with pytest.raises(BenchError, match=r"my-cells-v3 belongs at .*my-cells-v2; move it there"):
        read_own(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "states no protocol in plain values; write protocol = dict"),
        ("protocol = make()", "states no protocol in plain values"),
        ("protocol = dict(id='Bad Id')", "protocol|id"),
        ("protocol = [1]", "valid dictionary"),
        ("def (", "is not a config that can be read"),
        ("_base_ = [read()]", "is not a config that can be read"),
        ("_base_ = {{}: 1}", "is not a config that can be read"),
        ("_base_ = 'my task.py'", "is its own _base_; remove it"),
        ("_base_ = 'gone.py'", "gone.py does not exist"),
        ("_base_ = 'simmim_bench::demo/gone.py'", "gone.py does not exist"),
        ("x = " + "[" * 5000, "is not a config that can be read"),
        ("x = '" + "x" * 2_000_000 + "'", "characters, a config at most"),
    ],
)
def test_texts_that_are_no_config_are_a_sentence(tmp_path, text, said):
    with pytest.raises(BenchError, match=said):
        make_own(write_config(tmp_path, text))


def test_a_base_of_another_package_is_not_read(tmp_path):
    own = make_own(write_config(tmp_path, "_base_ = ['mmdet::a.py', 'parts/cells.py']\n"
                                "protocol = dict(version=1, task='detection', dataset='a',"
                                " split='val', metrics=dict(a='b'), primary='a')"))  # fmt: skip
    assert own.config.bases == [None, 0]
    assert own.protocol.id == "my-cells"


def test_a_base_by_its_path_is_the_same_as_by_its_name(tmp_path):
    named = make_own(write_config(tmp_path / "a"))
    text = write_config(tmp_path / "b").read_text().replace("simmim_bench::", f"{CONFIGS}/")
    assert make_own(write_config(tmp_path / "b", text)).protocol == named.protocol


def test_a_record_is_of_a_known_protocol_or_of_an_own_one(tmp_path):
    own = unite_own({}, [make_own(write_config(tmp_path))])
    check_protocol(demo_record(), "a.json", {})
    check_protocol(own_record(), "a.json", own)
    with pytest.raises(BenchError, match=r"a.json: protocol.id is 'my-cells', which no config def"):
        check_protocol(own_record(), "a.json", {})
    with pytest.raises(BenchError, match=r"protocol.epochs is 9, its config .*my-task.py states 7"):
        check_protocol(own_record(protocol={"epochs": 9}), "a.json", own)
    with pytest.raises(BenchError, match="which no config defines"):
        check_protocol(own_record(protocol={"version": 3}), "a.json", own)
    deviating = own_record(protocol={"epochs": 9}, deviations=["--epochs 9"])
    check_protocol(deviating, "a.json", own)


def test_two_own_protocols_of_one_name_must_agree(tmp_path):
    first = make_own(write_config(tmp_path / "a"))
    comment = make_own(write_config(tmp_path / "b", first.texts[first.config.name] + "# more\n"))
    assert unite_own({first.key: first}, [comment]) == {first.key: first}
    other = make_own(
        write_config(tmp_path / "c", first.texts[first.config.name].replace("my cells", "cells"))
    )
    with pytest.raises(
        BenchError, match=r"dataset is 'cells', .*, which is known here, states 'my"
    ):
        unite_own({first.key: first}, [other])


def test_a_protocol_of_the_project_cannot_be_redefined(tmp_path):
    """Its id decides, so that nobody can loosen a protocol by shipping a config."""
    text = "_base_ = 'simmim_bench::demo/classification_swin-demo.py'\nprotocol = dict(epochs=99)"
    own = unite_own({}, [make_own(write_config(tmp_path, text))])
    looser = demo_record(protocol=next(iter(own.values())).protocol.as_json())
    with pytest.raises(BenchError, match=r"protocol.epochs is 99, configs define 5"):
        check_protocol(looser, "a.json", own)
