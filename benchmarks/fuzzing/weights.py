"""Classes of inputs: checkpoints, state dicts, cards, and weights of other libraries."""

# ruff: noqa: C901, E501

from __future__ import annotations

import copy
import io
import json
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import TEXTS, Draw, as_json, changed, damaged, texts, values
from benchmarks.fuzzing.worker import Case, LieError

BACKBONE = {
    "type": "mmpretrain.SwinTransformer",
    "arch": {"embed_dims": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 4]},
    "img_size": 64,
    "window_size": 2,
    "drop_path_rate": 0.0,
}
MODEL = {
    "type": "simmim_bench.SimMIM",
    "backbone": BACKBONE,
    "decoder": {"type": "simmim_bench.LinearDecoder"},
    "loss": {"type": "simmim_bench.MaskedL1Loss"},
}
CONFIG = {
    "default_scope": "mmpretrain",
    "model": MODEL,
    "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": 2},
    "pretraining": {"method": "simmim", "backbone": "tiny", "dataset": "none", "epochs": 2, "image_size": 64},
}  # fmt: skip


def pretraining() -> dict[str, Any]:
    """Content of a checkpoint of a small pretraining."""
    import torch
    from mmengine.config import Config

    from simmim_bench import ops

    ops.install()
    from simmim_bench.registry import MODELS

    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(MODEL))
    model.init_weights()
    meta = {"cfg": Config(CONFIG).pretty_text, "epoch": 2, "iter": 8, "seed": 0}
    run = {"kind": "full", "method": "simmim", "seed": 0}
    return {"meta": meta, "simmim_bench": {"run": run}, "state_dict": model.state_dict()}


def exported(folder: Path) -> tuple[Path, Any, dict[str, Any]]:
    """An exported backbone: its file, a model to load it into, and its card."""
    import torch

    from simmim_bench.registry import MODELS
    from simmim_bench.weights.export import export_backbone

    torch.save(pretraining(), folder / "epoch_2.pth")
    files = export_backbone(folder / "epoch_2.pth", folder)
    model = MODELS.build(copy.deepcopy(BACKBONE))
    return files.weights, model, json.loads(files.card.read_text("utf-8"))


def checkpoint_files(folder: Path) -> Prepared:
    """Bytes of an exported backbone; what is loaded must be the weights that were saved."""
    import torch

    from simmim_bench.weights.pretrained import load_pretrained

    path, model, _ = exported(folder)
    genuine = torch.load(path, weights_only=True)
    valid = path.read_bytes()

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_pretrained(model, path)
        _check_equal(model.state_dict(), genuine)

    return st.one_of(damaged(valid), _zips(valid), st.binary(max_size=40)), read


def whole_checkpoints(folder: Path) -> Prepared:
    """Bytes of a training's checkpoint: exported, or resumed from; never with other weights."""
    import torch

    from simmim_bench.training.runner import latest_checkpoint
    from simmim_bench.weights.export import export_backbone

    content = pretraining()
    path = folder / "run" / "epoch_2.pth"
    path.parent.mkdir()
    stream = io.BytesIO()
    torch.save(content, stream)
    valid = stream.getvalue()
    genuine = {k.removeprefix("backbone."): v for k, v in content["state_dict"].items()}

    def read(given: tuple[str, bytes]) -> None:
        path.write_bytes(given[1])
        latest_checkpoint(path.parent)
        files = export_backbone(path, folder / "out")
        if given[0] == "damaged":  # another zip is another checkpoint, which nothing contradicts
            _check_equal(torch.load(files.weights, weights_only=True), genuine)

    return st.one_of(
        st.tuples(st.just("damaged"), damaged(valid)), st.tuples(st.just("zip"), _zips(valid))
    ), read


def _check_equal(found: dict[str, Any], genuine: dict[str, Any]) -> None:
    import torch

    for key, value in found.items():
        if key in genuine and not torch.equal(value, genuine[key]):
            raise LieError(f"{key} was changed in the file and accepted")


@st.composite
def _zips(draw: Draw, valid: bytes) -> bytes:
    """A zip with entries removed, renamed, doubled, compressed, encrypted or changed."""
    source = zipfile.ZipFile(io.BytesIO(valid))
    stream = io.BytesIO()
    names = source.namelist()
    pick = draw(st.sampled_from(names))
    action = draw(
        st.sampled_from(
            [
                "remove",
                "rename",
                "twice",
                "deflate",
                "lzma",
                "change",
                "empty",
                "comment",
                "flag",
                "none",
            ]
        )
    )
    with zipfile.ZipFile(stream, "w") as target:
        for name in names if action != "none" else []:
            content = source.read(name)
            if name != pick:
                target.writestr(name, content)
            elif action == "rename":
                target.writestr(
                    draw(st.sampled_from([t for t in TEXTS if t.isprintable() and t])), content
                )
            elif action == "twice":
                target.writestr(name, content)
                target.writestr(name, bytes(len(content)))
            elif action in ("deflate", "lzma"):
                kind = zipfile.ZIP_DEFLATED if action == "deflate" else zipfile.ZIP_LZMA
                target.writestr(name, content, kind)
            elif action == "change":
                target.writestr(name, draw(damaged(content)))
            elif action == "empty":
                target.writestr(name, b"")
            elif action != "remove":
                target.writestr(name, content)
        if action == "comment":
            target.comment = b"x" * 65535
    result = bytearray(stream.getvalue())
    if action == "flag":  # the flag of encryption, in the directory
        place = result.rfind(b"PK\x01\x02")
        result[place + 8] |= 1
    return bytes(result)


def _odd_tensors() -> st.SearchStrategy[Any]:
    """Values that a state dict may hold by mistake."""
    import torch

    some = torch.arange(6.0).reshape(2, 3)
    odd = [
        some, some.int(), some.bool(), some.to(torch.complex64), some.to_sparse(), some.double() * 1e300, some.half(), some * float("nan"),
        some * float("inf"), torch.empty(0), torch.tensor(1.0), some.to(torch.bfloat16), torch.nn.Parameter(some), some.t(),
        torch.empty(2, 3, device="meta"), torch.quantize_per_tensor(some, 0.1, 0, torch.qint8), some.to(torch.float8_e4m3fn),
        torch.nested.nested_tensor([some, some]), some.expand(4, 2, 3), some.storage(), torch.Size([1, 2]), torch.float32,
    ]  # fmt: skip
    return st.one_of(st.sampled_from(odd), values())


@st.composite
def _states(draw: Draw, valid: dict[str, Any], odd: st.SearchStrategy[Any]) -> Any:
    """A state dict with values or keys replaced, removed, added or moved."""
    if draw(st.integers(0, 15)) == 0:
        return draw(st.one_of(odd, st.lists(odd, max_size=2)))
    state: dict[Any, Any] = dict(valid)
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(list(valid)))
        action = draw(
            st.sampled_from(["replace", "remove", "add", "key", "cast", "shape", "nest", "swap"])
        )
        if action == "remove":
            state.pop(key, None)
        elif action == "add":
            state[draw(st.sampled_from([*TEXTS, 3, None, (1, 2), b"x", 1.5, True]))] = draw(odd)
        elif action == "key":
            state[draw(st.sampled_from([0, None, ("a",), b"k", f"module.{key}", f"{key}.x"]))] = (
                state.pop(key, None)
            )
        elif action == "nest":
            state = draw(
                st.sampled_from(
                    [{"state_dict": state}, {"model": state}, {"": state}, {"state_dict": [state]}]
                )
            )
        elif action == "swap":
            state[key] = valid[draw(st.sampled_from(list(valid)))]
        elif key in state and hasattr(state[key], "dtype") and action in ("cast", "shape"):
            try:
                state[key] = state[key].long() if action == "cast" else state[key][None]
            except (RuntimeError, TypeError, NotImplementedError):
                state[key] = None
        else:
            state[key] = draw(odd)
    return state


def state_dicts(folder: Path) -> Prepared:
    """Exported weights whose content was changed and whose hash was recomputed."""
    import torch

    from simmim_bench.weights.pretrained import load_pretrained

    path, model, card = exported(folder)
    genuine = torch.load(path, weights_only=True)

    def read(content: Any) -> None:
        resealed(content, card, path)
        load_pretrained(model, path)
        for key, value in model.state_dict().items():
            if not torch.isfinite(value).all() if value.is_floating_point() else False:
                raise LieError(f"{key} is not finite")
            computed = key.endswith(("relative_position_index", "relative_coords_table"))
            if (
                key in content
                and not computed
                and not torch.equal(value.double(), content[key].double())
            ):
                raise LieError(f"{key} has another value than in the file")

    return _states(genuine, _odd_tensors()), read


def resealed(content: Any, card: dict[str, Any], path: Path) -> None:
    """Write weights and card as an attacker would, with hash and seal that match."""
    import torch

    from simmim_bench.io import sha256_file
    from simmim_bench.weights.seal import SEAL, STORED, facts_of, seal_of

    if isinstance(content, dict):
        content = OrderedDict(content)
        setattr(content, STORED, json.dumps(facts_of(card)))
    torch.save(content, path)
    whole = {key: value for key, value in card.items() if key != SEAL}
    whole["sha256"] = sha256_file(path)
    path.with_suffix(".json").write_bytes(as_json({**whole, SEAL: seal_of(whole)}))


def cards(folder: Path) -> Prepared:
    """Cards beside good weights; what a sealed card says cannot be changed."""
    from simmim_bench.weights.card import read_card
    from simmim_bench.weights.pretrained import load_pretrained

    path, model, card = exported(folder)

    def read(content: bytes) -> None:
        path.with_suffix(".json").write_bytes(content)
        found = read_card(path)
        load_pretrained(model, path)
        if "seal" in card:
            for key in ("method", "pretraining", "kind", "sizes", "architecture", "adapter"):
                if found[key] != card[key]:
                    raise LieError(f"{key} of a sealed card was changed to {found[key]!r}")

    return texts(card), read


def checkpoint_contents(folder: Path) -> Prepared:
    """What a checkpoint holds besides weights: config, identity, epoch."""
    import torch

    from simmim_bench.weights.export import run_export
    from simmim_bench.weights.identity import check_resumable

    valid = pretraining()
    state = valid["state_dict"]
    path = folder / "epoch_2.pth"
    rest = {key: value for key, value in valid.items() if key != "state_dict"}
    lines = valid["meta"]["cfg"]

    @st.composite
    def contents(draw: Draw) -> Any:
        kind = draw(st.sampled_from(["rest", "config", "text", "state"]))
        if kind == "rest":
            content = draw(changed(rest))
            return {**content, "state_dict": state} if isinstance(content, dict) else content
        if kind == "state":
            return {**rest, "state_dict": draw(_states(state, _odd_tensors()))}
        if kind == "config":
            given = draw(changed(CONFIG, 1))
            items = given.items() if isinstance(given, dict) else [("x", given)]
            text = "\n".join(f"{key} = {value!r}" for key, value in items)
        else:
            text = draw(damaged(lines.encode())).decode("utf-8", "replace")
        return {**rest, "meta": {**rest["meta"], "cfg": text}, "state_dict": state}

    def read(content: Any) -> None:
        torch.save(content, path)
        try:
            check_resumable(path, {"kind": "full", "method": "simmim", "seed": 0})
        finally:
            shutil.rmtree(folder / "out", ignore_errors=True)
            run_export(path, folder / "out")

    return contents().filter(_can_save), read


def _can_save(content: Any) -> bool:
    import torch

    try:
        torch.save(content, io.BytesIO())
    except Exception:
        return False
    return True


def conversions(folder: Path) -> Prepared:
    """State dicts of other libraries, to be converted."""
    import timm
    import torch

    from simmim_bench.weights.convert.write import convert_file

    torch.manual_seed(0)
    small = {"img_size": 64, "depth": 2, "embed_dim": 192, "num_heads": 3}
    model = timm.create_model("vit_tiny_patch16_224", **small)
    state = dict(model.state_dict())
    path = folder / "x.pth"

    def read(content: Any) -> None:
        torch.save(content, path)
        shutil.rmtree(folder / "out", ignore_errors=True)
        (folder / "out.report.json").unlink(missing_ok=True)
        convert_file(source=str(path), destination=folder / "out")

    return _states(state, _odd_tensors()).filter(_can_save), read


def safetensors(folder: Path) -> Prepared:
    """Bytes of a safetensors file."""
    import torch
    from safetensors.torch import save

    from simmim_bench.weights.files import load_checkpoint

    path = folder / "x.safetensors"
    valid = save({"a": torch.arange(6.0), "b": torch.ones(2, 2)}, {"format": "pt"})
    (length,) = [int.from_bytes(valid[:8], "little")]
    header = json.loads(valid[8 : 8 + length])

    def framed(value: Any) -> bytes:
        text = as_json(value)
        return len(text).to_bytes(8, "little") + text + valid[8 + length :]

    def read(content: bytes) -> None:
        path.write_bytes(content)
        load_checkpoint(path)

    return st.one_of(damaged(valid), changed(header).map(framed)), read


CASES = (
    Case("checkpoints, bytes", 3, checkpoint_files),
    Case("training checkpoints", 2, whole_checkpoints),
    Case("state dicts", 3, state_dicts),
    Case("cards", 3, cards),
    Case("checkpoint contents", 1.5, checkpoint_contents),
    Case("conversions", 0.7, conversions),
    Case("safetensors", 1, safetensors),
)
