"""Class of inputs: folders of transformers, whose ``config.json`` describes the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hypothesis import strategies as st

from benchmarks.fuzzing.results import Prepared
from benchmarks.fuzzing.values import as_json, changed, damaged
from benchmarks.fuzzing.worker import Case


def configs_of_weights(folder: Path) -> Prepared:
    """``config.json`` beside good weights, changed or damaged."""
    import timm
    import torch

    from simmim_bench.weights.convert.write import convert_file

    torch.manual_seed(0)
    small = {"img_size": 32, "depth": 1, "embed_dim": 64, "num_heads": 1}
    torch.save(timm.create_model("vit_tiny_patch16_224", **small).state_dict(), folder / "x.pth")
    given, path = folder / "given", folder / "given" / "config.json"
    convert_file(source=str(folder / "x.pth"), destination=given, to="transformers")
    valid = path.read_bytes()

    def read(content: bytes) -> None:
        path.write_bytes(content)
        shutil.rmtree(folder / "out", ignore_errors=True)
        (folder / "out.report.json").unlink(missing_ok=True)
        convert_file(source=str(given), destination=folder / "out")

    return st.one_of(changed(json.loads(valid)).map(as_json), damaged(valid)), read


CASES = (Case("configs of weights", 0.7, configs_of_weights),)
