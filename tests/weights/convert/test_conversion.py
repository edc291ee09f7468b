"""From file to file: what is recognised, refused, resized and written."""

import functools
import json
import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from simmim_bench.backbones.resize import resize_bias_table
from simmim_bench.errors import BenchError
from simmim_bench.io import sha256_file
from simmim_bench.records.manifest import Pretraining
from simmim_bench.registry import MODELS
from simmim_bench.weights.address import parse_address
from simmim_bench.weights.convert.conversion import convert_checkpoint
from simmim_bench.weights.convert.keymaps import TIMM_RULES
from simmim_bench.weights.convert.plain import unwrap
from simmim_bench.weights.convert.sniff import sniff
from simmim_bench.weights.convert.source import Source, read_source
from simmim_bench.weights.convert.write import convert_file
from simmim_bench.weights.fetch import fetch
from simmim_bench.weights.pretrained import load_pretrained

DATA = Path(__file__).parents[2] / "golden"
SWIN = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 12, "depths": [2, 2, 2, 2], "num_heads": [2, 3, 4, 6]},
}
TABLE = "stages.0.blocks.0.attn.w_msa.relative_position_bias_table"


@pytest.fixture
def original():
    golden = torch.load(DATA / "simmim_swin_pretrain.pt", weights_only=True)
    return dict(golden["state_dict"])


@pytest.fixture
def write(tmp_path):
    def write(content, name="given.pth"):
        torch.save(content, tmp_path / name)
        return str(tmp_path / name)

    return write


def source(content):
    return Source(content, "given.pth", "0" * 64, False)


def refused(tmp_path, given, match, **options):
    """The sentence fits and nothing was written."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BenchError, match=match):
        convert_file(source=given, destination=tmp_path / "out", **options)
    assert sorted(tmp_path.rglob("*")) == before


def swin_state(prefix):
    state = MODELS.build({**SWIN, "img_size": 96, "window_size": 3}).state_dict()
    return {f"{prefix}{key}": value for key, value in state.items()}


@pytest.mark.parametrize(
    ("wrapper", "prefix", "beside", "name"),
    [
        ("state_dict", "backbone.", ["backbone.mask_token"], "mmpretrain pretraining"),
        ("state_dict", "backbone.", ["head.fc.weight"], "mmpretrain classifier"),
        ("state_dict", "backbone.", ["rpn_head.rpn_cls.weight"], "mmdet or mmseg"),
        ("state_dict", "backbone.", ["decode_head.conv_seg.bias"], "mmdet or mmseg"),
        ("state_dict", "backbone.", ["mask_token"], "simmim_bench pretraining"),
        (None, "", [], "simmim_bench backbone"),
    ],
)
def test_layouts_that_share_their_backbone_keys(wrapper, prefix, beside, name):
    state = {**swin_state(prefix), **{key: torch.zeros(1) for key in beside}}
    found = sniff(*unwrap({wrapper: state} if wrapper else state), {})
    assert (found.layout.name, found.misfits) == (name, 0)
    assert found.architecture.config["arch"] == SWIN["arch"]
    assert found.architecture.config["window_size"] == 3


def test_a_folder_that_load_pretrained_accepts(original, write, tmp_path, capsys):
    convert_file(source=write({"model": original}), destination=tmp_path / "out", window=4)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "backbone.json",
        "backbone.pth",
    ]
    card = json.loads((tmp_path / "out/backbone.json").read_text())
    assert card["method"] == "converted from simmim pretraining"
    assert card["kind"] == "full"
    assert card["sizes"]["window_size"] == 4
    assert card["backbone_config"]["window_size"] == 4
    stated = Pretraining.model_validate(
        {**card["pretraining"], "checkpoint_sha256": card["sha256"]}
    )
    assert (stated.dataset, stated.epochs, stated.image_size) == ("not stated", None, 128)
    backbone = MODELS.build({**SWIN, "img_size": 128, "window_size": 4})
    report = load_pretrained(backbone, tmp_path / "out/backbone.pth")
    assert (report.missing, report.unexpected, report.resized) == ((), (), ())
    old = original["encoder.layers.0.blocks.0.attn.relative_position_bias_table"]
    expected = resize_bias_table(old, source=(3, 3), target=(4, 4))
    assert torch.equal(backbone.state_dict()[TABLE], expected)
    written = json.loads((tmp_path / "out.report.json").read_text())
    assert len(written["resized"]) == 8
    assert written["verification"]["difference"] < 1e-5
    assert "resized     8 (bias tables geometric" in capsys.readouterr().out


def test_methods_of_resizing(original):
    old = original["encoder.layers.0.blocks.0.attn.relative_position_bias_table"]  # (25, 2)
    result = convert_checkpoint(source({"model": original}), window=4, resize="bicubic")
    image = old.T.reshape(1, 2, 5, 5)
    image = torch.nn.functional.interpolate(image, size=(7, 7), mode="bicubic")
    assert torch.equal(result.state[TABLE], image.reshape(2, 49).T)
    assert result.report.resize_method == "bicubic"


def test_method_is_stated_in_the_card(original, write, tmp_path):
    convert_file(source=write({"model": original}), destination=tmp_path / "a/out", method="simmim")
    card = json.loads((tmp_path / "a/out/backbone.json").read_text())
    assert (card["method"], card["pretraining"]["method"]) == ("simmim", "simmim")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("encoder.layers.1.blocks.0.norm1.bias", "encoder.layers.1.blocks.0.nrm1.bias"),
        ("encoder.layers.1.blocks.0.mlp.fc1.bias", "encoder.layers.1.blocks.0.mlp.fc1.bia"),
        ("encoder.norm.weight", "encoder.final_norm.weight"),
    ],
)
def test_one_renamed_key_is_named_with_its_nearest_name(original, write, tmp_path, old, new):
    original[new] = original.pop(old)
    said = rf"1 of \d+ keys missing \({old}\), 1 unexpected \({new}\); perhaps {old} was renamed to"
    refused(tmp_path, write({"model": original}), said)


def test_a_renamed_key_that_tells_a_size(original, write, tmp_path):
    original["encoder.patch.weight"] = original.pop("encoder.patch_embed.proj.weight")
    refused(tmp_path, write({"model": original}), r"patch_embed\.projection\.weight is missing")


@pytest.mark.parametrize("rows", [26, 36])
def test_a_table_that_fits_no_window(original, write, tmp_path, rows):
    key = "encoder.layers.0.blocks.0.attn.relative_position_bias_table"
    original[key] = torch.zeros(rows, 2)
    refused(
        tmp_path,
        write({"model": original}),
        rf"has {rows} rows, (which is not a square|expected \(2 \* window)",
    )


def test_a_tensor_of_another_shape(original, write, tmp_path):
    original["encoder.layers.2.blocks.1.norm1.bias"] = torch.zeros(7)
    refused(
        tmp_path,
        write({"model": original}),
        r"norm1\.bias has shape \(7,\), but .* require \(48,\)",
    )


def test_a_window_that_does_not_fit(original, write, tmp_path):
    given = write({"model": original})
    refused(tmp_path, given, "--window 1 and --image-size 32 do not fit", window=1)
    refused(tmp_path, given, "--image-size 100 do not fit", window=4, image_size=100)
    vit = torch.load(DATA / "simmim_vit_pretrain.pt", weights_only=True)["state_dict"]
    refused(
        tmp_path,
        write({"model": vit}),
        r"does not apply to .* has no windows; give --image-size",
        window=4,
    )


def test_index_buffers_in_another_order(original, write, tmp_path):
    key = "encoder.layers.0.blocks.0.attn.relative_position_index"
    original[key] = original[key].flip(0)
    refused(tmp_path, write({"model": original}), "differs from the original's relative positions")


def test_files_that_are_no_checkpoint(write, tmp_path):
    text = tmp_path / "notes.pth"
    text.write_text("hello")
    refused(tmp_path, str(text), "is a text that starts with 'hello'")
    text.write_bytes(b"hello\0")
    refused(tmp_path, str(text), "is not a torch checkpoint")
    refused(
        tmp_path,
        write({"weight": torch.zeros(2)}),
        r"unknown checkpoint layout \(first keys: weight\)",
    )
    refused(tmp_path, write({"epoch": 3}), r"no state dict found \(top-level keys: epoch\)")
    broken = tmp_path / "x.safetensors"
    broken.write_bytes(b"hello\0")
    refused(tmp_path, str(broken), "is damaged or not a safetensors file")


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_pickle_runs_only_if_trusted(original, write, tmp_path, capsys):
    trace = tmp_path / "trace"
    given = write({"model": original, "extra": RunsCode(trace)})
    refused(tmp_path, given, "or give --trust-pickle if you trust who made")
    assert not trace.exists()
    convert_file(source=given, destination=tmp_path / "out", trust_pickle=True)
    assert trace.exists()
    assert capsys.readouterr().out.startswith("WARNING     READ WITH --trust-pickle")
    assert json.loads((tmp_path / "out.report.json").read_text())["ran_code"] is True


class Fails:
    def __reduce__(self):
        return int, ("no number",)


def test_trusted_code_that_fails(original, write, tmp_path):
    given = write({"model": original, "extra": Fails()})
    said = r"cannot be read even with --trust-pickle \(ValueError: invalid literal"
    refused(tmp_path, given, said, trust_pickle=True)


def test_sha256(original, write, tmp_path):
    given = write({"model": original})
    refused(tmp_path, given, "expected 0000", sha256="0" * 64)
    refused(tmp_path, given, "--sha256 must be 64 hexadecimal digits, got 'abc'", sha256="abc")
    convert_file(source=given, destination=tmp_path / "out", sha256=sha256_file(Path(given)))
    assert (tmp_path / "out/backbone.pth").is_file()


def test_an_existing_destination(original, write, tmp_path):
    given = write({"model": original})
    (tmp_path / "out").write_text("precious")
    refused(tmp_path, given, "out already exists", to="timm")
    assert (tmp_path / "out").read_text() == "precious"


def test_urls(original, write, tmp_path):
    given = Path(write({"model": original}))
    (found,) = fetch(parse_address(given.as_uri())).files
    assert found.read_bytes() == given.read_bytes()
    with pytest.raises(BenchError, match="cannot download"):
        fetch(parse_address((tmp_path / "none.pth").as_uri()))
    with pytest.raises(BenchError, match="cannot download"):
        fetch(parse_address("http:///no-host.pth"))
    with pytest.raises(BenchError, match="must be one of http, https, file, got ftp"):
        parse_address("ftp://host/file.pth")


@pytest.fixture
def served(tmp_path):
    """Address under which ``tmp_path`` is served by HTTP."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_from_the_web_with_its_hash(original, write, served, tmp_path):
    given = Path(write({"model": original}))
    address, right = f"{served}/{given.name}", sha256_file(given)
    refused(tmp_path, address, f"has sha256 {right}, expected 1111", sha256="1" * 64)
    refused(tmp_path, f"{served}/none.pth", r"cannot download .* \(HTTP Error 404")
    convert_file(source=address, destination=tmp_path / "web", sha256=right.upper())
    convert_file(source=str(given), destination=tmp_path / "disk")
    web, disk = (torch.load(tmp_path / name / "backbone.pth") for name in ("web", "disk"))
    assert all(torch.equal(web[key], value) for key, value in disk.items())
    report = json.loads((tmp_path / "web.report.json").read_text())
    assert (report["source"], report["sha256"]) == (given.name, right)


def test_safetensors(tmp_path):
    pytest.importorskip("safetensors")
    from safetensors.torch import save_file

    state = swin_state("")
    save_file(state, tmp_path / "a.safetensors")
    read = read_source(tmp_path / "a.safetensors")
    assert all(torch.equal(read.content[key], value) for key, value in state.items())


def test_a_backbone_that_the_target_does_not_know(write, tmp_path):
    arch = {"embed_dims": 64, "num_layers": 2, "num_heads": 1, "feedforward_channels": 128}
    config = {"type": "mmpretrain.VisionTransformer", "arch": arch, "img_size": 64}
    plain = {f"backbone.{k}": v for k, v in MODELS.build(config).state_dict().items()}
    given = write({"state_dict": plain})
    refused(tmp_path, given, "--to simmim does not support a plain_vit backbone", to="simmim")


def test_outputs_that_differ(original, write, tmp_path, monkeypatch):
    """Two norms of the same shape swapped: all keys match, only running both can tell."""
    pytest.importorskip("timm")
    swapped = {"norm1.": "norm2.", "norm2.": "norm1."}
    rules = tuple(
        (theirs, next((ours.replace(a, b) for a, b in swapped.items() if a in ours), ours))
        for theirs, ours in TIMM_RULES["swin"]
    )
    monkeypatch.setitem(TIMM_RULES, "swin", rules)
    said = r"simmim_bench in place of simmim and timm differ by .* nothing was written"
    refused(tmp_path, write({"model": original}), said, to="timm")


@pytest.mark.parametrize("kind", ["smoke", "full"])
def test_a_smoke_run_stays_one(write, tmp_path, kind):
    content = {"state_dict": swin_state("backbone."), "simmim_bench": {"run": {"kind": kind}}}
    content["state_dict"]["mask_token"] = torch.zeros(1, 1, 12)
    convert_file(source=write(content), destination=tmp_path / "out")
    assert json.loads((tmp_path / "out/backbone.json").read_text())["kind"] == kind


def test_weights_that_are_not_finite(original, write, tmp_path):
    original["encoder.norm.bias"][0] = float("nan")
    refused(tmp_path, write({"model": original}), "holds NaN or infinity in 1 of")
