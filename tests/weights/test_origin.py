"""Weights of every origin become a local backbone with a card, once, or one sentence says why not.

No network: the Hub is a server on this machine, timm's and torchvision's files are there before.
"""

import hashlib
import json
import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torchvision
from safetensors.torch import save, save_file

from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.registry import MODELS
from simmim_bench.weights import fetch as fetching
from simmim_bench.weights.address import parse_address
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.export import export_backbone
from simmim_bench.weights.fetch import cache_folder, fetch
from simmim_bench.weights.origin import local_backbone
from simmim_bench.weights.pretrained import load_pretrained
from tests.weights.hub import COMMIT, card_of, said, serve
from tests.weights.test_pretrained import SWIN

NET = {
    "type": "mmpretrain.ConvNeXt",
    "arch": {"depths": [1, 1, 1, 1], "channels": [8, 16, 24, 32]},
    "gap_before_final_norm": False,
}


@pytest.fixture(scope="session")
def net():
    """Weights of a small ConvNeXt, in mmpretrain's layout."""
    torch.manual_seed(0)
    return {f"backbone.{key}": value for key, value in MODELS.build(NET).state_dict().items()}


def same(path, state, key="stages.2.0.norm.bias"):
    return torch.equal(torch.load(path)[key], state[f"backbone.{key}"])


def test_an_export_is_returned_as_it_is(save_pretraining, tmp_path):
    weights = export_backbone(save_pretraining(SWIN), tmp_path / "export").weights
    assert local_backbone(str(weights)) == weights
    assert local_backbone(str(tmp_path / "export")) == weights
    assert not cache_folder().exists()


def test_a_file_is_converted_once_and_says_what_it_is(net, tmp_path):
    given = tmp_path / "my résumé (v2).pth"
    torch.save({"state_dict": net}, given)
    path = local_backbone(str(given))
    card = card_of(path)
    assert same(path, net)
    assert card["method"] == card["pretraining"]["method"] == "my r sum v2"
    assert card["source"] == {
        "file": given.name, "sha256": sha256_file(given), "origin": given.name,
        "read": "as simmim_bench pretraining",
        "assumed": "image size is not in the weights: 224 assumed",
    }  # fmt: skip
    assert card["levels"] == {"strides": [4, 8, 16, 32], "channels": [8, 16, 24, 32]}
    assert str(tmp_path) not in path.with_suffix(".json").read_text()
    assert json.loads((path.parent / "report.json").read_text())["target"]
    stamp = path.stat().st_mtime_ns
    assert local_backbone(str(given)) == path
    assert path.stat().st_mtime_ns == stamp
    named = local_backbone(str(given), name="supervised")
    assert named != path
    assert card_of(named)["method"] == "supervised"
    load_pretrained(MODELS.build(NET), path)
    torch.save({"state_dict": {**net, "head.fc.bias": torch.ones(9)}}, given)
    assert local_backbone(str(given)) != path


@pytest.mark.parametrize("damage", ["weights", "card", "half"])
def test_a_damaged_entry_of_the_cache_is_made_again(damage, net, tmp_path):
    torch.save(net, tmp_path / "a.pth")
    path = local_backbone(str(tmp_path / "a.pth"))
    if damage == "weights":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "card":
        path.with_suffix(".json").write_text("{}")
    else:
        path.with_suffix(".json").unlink()
    assert local_backbone(str(tmp_path / "a.pth")) == path
    assert same(path, net)


def test_two_processes_do_the_work_once(net, tmp_path):
    torch.save(net, tmp_path / "a.pth")
    forked = multiprocessing.get_context("fork")
    with forked.Pool(2) as pool:
        found = pool.map(local_backbone, [str(tmp_path / "a.pth")] * 2, chunksize=1)
    assert found[0] == found[1]
    assert same(found[0], net)
    assert sum(1 for _ in cache_folder().glob("*/backbone.pth")) == 1
    assert not [path for path in cache_folder().rglob("*") if path.name.startswith(".")]


def test_a_checkpoint_of_this_suite_is_exported_not_converted(save_pretraining, tmp_path):
    checkpoint = save_pretraining(SWIN)
    assert "is of this suite, but has no card beside it; export it" in said(str(checkpoint))
    weights = export_backbone(checkpoint, tmp_path / "export").weights
    weights.with_suffix(".json").unlink()
    assert "is of this suite, but has no card beside it; export it" in said(str(weights))


def test_a_url_is_downloaded_once(net, tmp_path, monkeypatch):
    torch.save(net, tmp_path / "net.pth")
    url = (tmp_path / "net.pth").as_uri()
    path = local_backbone(url)
    assert (card_of(path)["method"], card_of(path)["source"]["origin"]) == ("net", url)
    (tmp_path / "net.pth").unlink()
    assert local_backbone(url) == path


def test_the_hub_safetensors_first(hub, net, capsys, tmp_path):
    other = {**net, "backbone.stages.2.0.norm.bias": torch.ones(24)}
    torch.save(other, tmp_path / "pytorch_model.bin")
    content = (tmp_path / "pytorch_model.bin").read_bytes()
    hub.files["me/net"] = {"model.safetensors": save(net), "pytorch_model.bin": content}
    path = local_backbone("hf:me/net")
    card = card_of(path)
    assert same(path, net)
    assert card["method"] == "hf me net"
    assert card["source"]["origin"] == "hf:me/net"
    assert card["source"]["revision"] == COMMIT
    assert card["source"]["sha256"] == hashlib.sha256(save(net)).hexdigest()
    assert not any("pytorch_model.bin" in asked for asked in hub.asked)
    assert local_backbone(f"hf:me/net@{COMMIT}") != path
    hub.files["me/net"].pop("model.safetensors")
    hub.files["me/old"] = {"pytorch_model.bin": content}
    assert same(local_backbone("hf:me/old"), other)


def test_the_hub_in_parts(hub, net):
    keys = sorted(net)
    parts = {"a-1.safetensors": keys[::2], "a-2.safetensors": keys[1::2]}
    named = {key: name for name, some in parts.items() for key in some}
    files = {name: save({key: net[key] for key in some}) for name, some in parts.items()}
    index = {"metadata": {}, "weight_map": named}
    hub.files["me/net"] = {
        **files, "model.safetensors.index.json": json.dumps(index).encode(),
    }  # fmt: skip
    path = local_backbone("hf:me/net")
    assert all(same(path, net, key.removeprefix("backbone.")) for key in keys)
    assert card_of(path)["source"]["file"] == "a-1.safetensors and 1 more"


@pytest.mark.parametrize("part", ["../../../etc/passwd", "/etc/passwd", "a/b.safetensors", ""])
def test_an_index_leads_nowhere_else(part, hub):
    index = {"weight_map": {"a": part}}
    hub.files["me/net"] = {"model.safetensors.index.json": json.dumps(index).encode()}
    assert "which is not a file name; do not use it" in said("hf:me/net")


def test_a_pickle_of_the_hub_runs_nothing(hub, tmp_path):
    marker = tmp_path / "marker"

    class Touch:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    torch.save({"a": Touch()}, tmp_path / "x.bin")
    hub.files["me/net"] = {"pytorch_model.bin": (tmp_path / "x.bin").read_bytes()}
    assert "holds more than weights and plain values" in said("hf:me/net")
    assert not marker.exists()


def test_what_the_hub_refuses(hub, tmp_path):
    hub.files.update({"me/net": {}, "me/gated": {"model.safetensors": b""}})
    hub.gated.add("me/gated")
    assert "hf:me/absent does not exist or is private; check the name" in said("hf:me/absent")
    assert "is a gated repository; accept its terms on https" in said("hf:me/gated")
    assert "hf:me/net has no model.safetensors or pytorch_model.bin" in said("hf:me/net")
    assert "hf:me/net has no revision 'v9'" in said("hf:me/net@v9")


def test_without_a_network(net, torch_hub, tmp_path, monkeypatch):
    with serve(tmp_path / "hub") as hub:
        hub.files["me/net"] = {"model.safetensors": save(net)}
        path = local_backbone("hf:me/net")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    template = "http://127.0.0.1:1/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    assert local_backbone("hf:me/net") == path
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", pytest.fail)  # no retries
    assert "hf:me/other cannot be reached, and config.json is not in the cache" in said(
        "hf:me/other"
    )
    named = "timm:convnext_atto.d2_in1k cannot be reached, and model.safetensors is not in the"
    assert named in said("timm:convnext_atto.d2_in1k")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert local_backbone("hf:me/net") == path
    message = said("hf:me/other")
    assert message.startswith("HF_HUB_OFFLINE is set, which forbids to download hf:me/other")
    assert "check the network" not in message
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert "cannot download http://127.0.0.1:1/x.pth" in said("http://127.0.0.1:1/x.pth")
    address = torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    monkeypatch.setattr(fetching, "download_to", lambda *_, **__: refuse(address))
    assert f"cannot download {address}" in said("torchvision:resnet18.IMAGENET1K_V1")


def refuse(address):
    raise BenchError(f"cannot download {address}; check the network")


def test_a_full_disk_is_told_as_such(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.hub.download_url_to_file", full)
    with pytest.raises(OSError, match="No space left"):  # cli says "the disk is full"
        local_backbone("http://127.0.0.1:1/x.pth")


def test_torchvision_by_its_list(net, torch_hub, monkeypatch):
    content = torch_hub / "content"
    torch.save(net, content)
    digest = sha256_file(content)
    url = f"https://download.pytorch.org/models/resnet18-{digest[:8]}.pth"
    fake = SimpleNamespace(**{"IMAGENET1K_V1": SimpleNamespace(url=url)})
    monkeypatch.setattr(
        "torchvision.models.get_model_weights", lambda _: SimpleNamespace(__members__=vars(fake))
    )
    content.rename(torch_hub / Path(url).name)
    path = local_backbone("torchvision:resnet18.IMAGENET1K_V1")
    assert same(path, net)
    assert card_of(path)["method"] == "torchvision resnet18.IMAGENET1K_V1"
    assert card_of(path)["source"]["origin"] == "torchvision:resnet18.IMAGENET1K_V1"
    (torch_hub / Path(url).name).write_bytes(b"PK damaged")
    assert "is damaged: its SHA-256 does not start with" in said(
        "torchvision:resnet18.IMAGENET1K_V1"
    )


def test_a_folder_in_the_layout_of_the_hub(net, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    assert "is a folder without model.safetensors" in said(str(folder))
    save_file(net, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    assert same(local_backbone(str(folder)), net)
    (folder / "config.json").write_text("[]")
    assert "config.json of the repository is not a JSON object" in said(str(folder))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("huggingface:me/net", "unknown origin 'huggingface' of weights in huggingface:me/net; "),
        ("tim:resnet18", "did you mean timm:resnet18?"),
        ("timm:resnet81", "unknown timm model 'resnet81'; did you mean resnet"),
        ("timm:resnet18.nowhere", "has no pretrained weights for 'resnet18.nowhere', and random "
         "ones are never used; did you mean timm:resnet18."),
        ("timm:efficientnet_cc_b1_8e", "and random ones are never used"),
        ("timm:../x", "timm:../x does not name a model"),
        ("torchvision:resnet18", "torchvision:resnet18 names no weights of resnet18; there are "
         "torchvision:resnet18.IMAGENET1K_V1"),
        ("torchvision:resnet81.X", "torchvision has no model 'resnet81'; did you mean "),
        ("torchvision:os.system", "torchvision has no model 'os'"),
        ("hf:", "does not name a repository of the Hugging Face Hub; expected hf:ORG/NAME"),
        ("hf:a/b/c", "does not name a repository"),
        ("hf:a/b@../../x", "does not name a repository"),
        ("hf:../b", "does not name a repository"),
        ("s3://bucket/x.pth", "the scheme of a URL must be one of http, https, file"),
        ("me/net", "me/net does not exist; a repository of the Hugging Face Hub is hf:me/net"),
        ("absent.pth", "absent.pth does not exist; expected an exported backbone.pth, another"),
        ("", "no weights are named; expected an exported"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be(given, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in said(given)


def test_labels_and_what_is_shown():
    address = parse_address("https://me:s3cret@host/a/swin tiny.pth?token=s3cret")
    assert "s3cret" not in address.shown
    assert address.label == "swin tiny"
    for name in ("a.b.pth.tar", "a.b.ckpt", "a.b.safetensors", "a.b.bin", "a.b.PT"):
        assert parse_address(name).label == "a.b"
    assert parse_address("https://host/v1.5.pth.tar").label == "v1.5"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("<!DOCTYPE html>\n", "give a file of weights"),
     ("version https://git-lfs.github.com/spec/v1\noid", "get the file with `git lfs pull`")],
)  # fmt: skip
def test_a_text_is_no_file_of_weights(text, remedy, tmp_path):
    (tmp_path / "model.pth").write_text(text)
    message = said(str(tmp_path / "model.pth"))
    assert "model.pth is a text that starts with " in message
    assert remedy in message
    assert parse_address("hf:me/net@v1").shown == "hf:me/net@v1"
    assert parse_address("timm:hf-hub:me/net@v1").shown == "timm:hf-hub:me/net@v1"
    assert parse_address("/home/me/net.pth").shown == "net.pth"


def test_the_converter_takes_them_too(hub, net, tmp_path, capsys):
    hub.files["me/net"] = {"model.safetensors": save(net)}
    convert_file(source="hf:me/net", destination=tmp_path / "out")
    card = json.loads((tmp_path / "out" / "backbone.json").read_text())
    assert (card["method"], card["source"]["revision"]) == ("hf me net", COMMIT)
    assert fetch(parse_address("hf:me/net")).revision == COMMIT
