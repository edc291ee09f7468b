"""Layouts of checkpoint files, as data: one entry a kind of file, one rule table a backbone.

Our side of every rule is a key of a pretraining checkpoint of ours: ``backbone.*``, ``mask_token``,
``decoder.*``; the head of a classifier is ``head.fc.*``. Converting another backbone needs its
tables in ``keymaps`` under the name of its adapter, a function in ``architecture`` and one for each
library in ``libraries``; this file stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simmim_bench.errors import BenchError
from simmim_bench.plugins import Table, caller
from simmim_bench.weights.convert.architecture import INFER, Architecture, State
from simmim_bench.weights.convert.keymaps import (
    ALGORITHM_RULES,
    CLASSIFIER_RULES,
    CONVNEXT_RULES,
    DROPPED,
    ORIGINAL_RULES,
    OWN_RULES,
    PLAIN_VIT_RULES,
    RESNET_CHILDREN_RULES,
    RESNET_RULES,
    TIMM_RULES,
    TORCHVISION_RULES,
    KeyMap,
    Rule,
)
from simmim_bench.weights.convert.keys_transformers import (
    BACKBONE_RULES,
    MODEL_RULES,
    NAMES,
    TASK_RULES,
)

Reasons = tuple[tuple[str, str], ...]
TARGETS = (
    "simmim_bench",
    "simmim_bench-pretraining",
    "simmim",
    "facebookresearch",
    "mmpretrain",
    "timm",
    "torchvision",
    "mmdet",
    "transformers",
)
PACKAGES = ("simmim_bench", "mmpretrain", "timm", "torchvision", "mmdet", "transformers")
"""Libraries that can be installed; one of them replaces any other when both sides are run."""
OWN_KEYS: tuple[Rule, ...] = (("", ""),)
"""Rules of our own layouts for backbones of users, whose keys stay as they are."""

_OTHER_NORMS: Reasons = (
    (r"backbone\.norm[0-2]\..*", "output norm of an earlier stage, which only dense tasks have"),
)
_POOLED_NORM: Reasons = (
    (r"backbone\.ln2\..*", "norm of the pooled tokens, which belongs to a classifier"),
)
_FC: tuple[Rule, ...] = (("fc.", "head.fc."),)
_HEAD_FC: tuple[Rule, ...] = (("head.fc.", "head.fc."),)
_PREPROCESSOR: Reasons = ((r"data_preprocessor\..*", "image statistics, not weights"),)
_POOLER: Reasons = ((r"(\w+\.)?pooler\.dense\..*", "pooler of the class token, not the backbone"),)
_GRN = ((r"backbone\.stages\..*\.grn\.(gamma|beta)", (1, 1, 1, -1)),)
_MASK_TOKENS: dict[str, tuple[Rule, ...]] = {
    adapter: tuple((f"{name}.embeddings.mask_token", "mask_token") for name in names)
    for adapter, names in NAMES.items()
    if adapter not in ("resnet", "convnext")
}
_DENSE_PARTS = "neck|rpn_head|roi_head|bbox_head|mask_head|decode_head|auxiliary_head"


@dataclass(frozen=True)
class Layout:
    """How one kind of file names and orders its tensors.

    Args:
        name: Shown in reports.
        library: One of ``TARGETS``, or any other name of who writes such files.
        backbone: Rules by adapter, without ``prefix`` and without our ``backbone.``.
        wrapper: Top-level key of the state dict; None if the file is the state dict.
        prefix: In front of the backbone's keys.
        beside: Rules of the keys beside the backbone.
        beside_by_adapter: The same for one adapter, tried first.
        concatenated: Whether patch merging concatenates its neighbours (original, timm).
        ignored: Keys of a file that are not converted, with the reason.
        unsupported: Our backbone keys that the layout does not have, with the reason.
        buffers: Whether indices and coordinates of relative positions are stored.
        vector_shapes: Our vectors (patterns) that are stored in another shape.
        heads: Heads by width of its plain ViTs, where they are not the usual ones.
        split: Whether queries, keys and values are three tensors.
        linear_pointwise: Whether it has linear layers where ConvNeXt may have 1 x 1 convolutions.
    """

    name: str
    library: str
    backbone: Mapping[str, tuple[Rule, ...]]
    wrapper: str | None = None
    prefix: str = ""
    beside: tuple[Rule, ...] = ()
    beside_by_adapter: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    concatenated: bool = False
    ignored: Reasons = ()
    unsupported: Reasons = ()
    buffers: bool = True
    vector_shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    heads: Mapping[int, int] = field(default_factory=dict)
    split: bool = False
    linear_pointwise: bool = False

    def has(self, adapter: str) -> bool:
        """Whether it has such backbones; ours have those of all adapters."""
        return adapter in self.backbone or self.library == "simmim_bench"

    def key_map(self, adapter: str) -> KeyMap:
        """All rules for a file with this adapter's backbone."""
        inside = self.backbone.get(adapter, OWN_KEYS)
        rules = tuple((f"{self.prefix}{a}", f"backbone.{b}") for a, b in inside)
        return KeyMap((*self.beside_by_adapter.get(adapter, ()), *self.beside, *rules))


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            name="simmim pretraining",
            library="simmim",
            backbone=ORIGINAL_RULES,
            wrapper="model",
            prefix="encoder.",
            beside=ALGORITHM_RULES,
            concatenated=True,
            ignored=((DROPPED, "buffer that is computed at each call"),),
            unsupported=_OTHER_NORMS,
        ),
        Layout(
            name="simmim fine-tuning",
            library="simmim",
            backbone=ORIGINAL_RULES,
            wrapper="model",
            beside=CLASSIFIER_RULES,
            concatenated=True,
            ignored=((DROPPED, "buffer that is computed at each call"),),
            unsupported=_OTHER_NORMS,
        ),
        Layout(
            name="simmim_bench backbone",
            library="simmim_bench",
            backbone=OWN_RULES,
            unsupported=_OTHER_NORMS + _POOLED_NORM,
        ),
        Layout(  # after ours: without its head a ResNet has the same keys in all libraries
            name="torchvision",
            library="torchvision",
            backbone=TORCHVISION_RULES,
            beside_by_adapter={
                "plain_vit": (("heads.head.", "head.fc."),),
                "resnet": _FC,
                "convnext": (("classifier.2.", "head.fc."),),
            },
            unsupported=_OTHER_NORMS,
            vector_shapes=((r"backbone\.stages\..*\.gamma", (-1, 1, 1)),),
            linear_pointwise=True,
        ),
        Layout(
            name="timm",
            library="timm",
            backbone=TIMM_RULES,
            beside_by_adapter={
                "swin": _HEAD_FC,
                "swinv2": _HEAD_FC,
                "resnet": _FC,
                "convnext": (("head.norm.", "backbone.norm3."), *_HEAD_FC),
            },
            beside=CLASSIFIER_RULES,
            concatenated=True,
            ignored=((DROPPED, "buffer that is computed at each call"),),
            unsupported=_OTHER_NORMS,
            buffers=False,
        ),
        Layout(
            name="facebookresearch",
            library="facebookresearch",
            backbone={"convnext": CONVNEXT_RULES},
            wrapper="model",
            beside=CLASSIFIER_RULES,
            unsupported=_OTHER_NORMS,
            linear_pointwise=True,
        ),
        Layout(
            name="DINOv2",
            library="DINOv2",
            backbone={"plain_vit": PLAIN_VIT_RULES},
            ignored=((r"mask_token", "mask token of its pretraining, whose decoder is not there"),),
        ),
        Layout(
            name="MAE",
            library="MAE",
            backbone={"plain_vit": PLAIN_VIT_RULES},
            ignored=((r"mask_token|decoder_.*", "decoder of its pretraining, not the backbone"),),
        ),
        Layout(
            name="MoCo v3",
            library="MoCo v3",
            backbone={"plain_vit": PLAIN_VIT_RULES, "resnet": RESNET_RULES},
            wrapper="state_dict",
            prefix="base_encoder.",
            ignored=(
                (r"momentum_encoder\..*", "momentum copy of the network"),
                (r"(predictor|base_encoder\.(head|fc))\.\d+\..*", "head of its pretraining"),
            ),
            heads={384: 12},
        ),
        Layout(
            name="lightly, children of a ResNet",
            library="lightly",
            backbone={"resnet": RESNET_CHILDREN_RULES},
        ),
        Layout(
            name="simmim_bench pretraining",
            library="simmim_bench",
            backbone=OWN_RULES,
            wrapper="state_dict",
            prefix="backbone.",
            beside=(("mask_token", "mask_token"), ("decoder.", "decoder.")),
            ignored=(*_PREPROCESSOR, (r"target\..*", "target network, not the backbone")),
        ),
        Layout(
            name="mmpretrain pretraining",
            library="mmpretrain",
            backbone=OWN_RULES,
            wrapper="state_dict",
            prefix="backbone.",
            beside=(
                ("backbone.mask_token", "mask_token"),
                ("neck.decoder.0.", "decoder.projection."),
            ),
            ignored=_PREPROCESSOR,
        ),
        Layout(
            name="mmpretrain classifier",
            library="mmpretrain",
            backbone=OWN_RULES,
            wrapper="state_dict",
            prefix="backbone.",
            beside=(("head.fc.", "head.fc."),),
            beside_by_adapter={"plain_vit": (("head.layers.head.", "head.fc."),)},
            ignored=_PREPROCESSOR,
        ),
        Layout(
            name="mmdet or mmseg",
            library="mmdet",
            backbone=OWN_RULES,
            wrapper="state_dict",
            prefix="backbone.",
            ignored=(*_PREPROCESSOR, (rf"({_DENSE_PARTS})\..*", "part of a dense task's head")),
        ),
        Layout(
            name="transformers model",
            library="transformers",
            backbone=MODEL_RULES,
            beside=(("embeddings.mask_token", "mask_token"),),
            concatenated=True,
            ignored=_POOLER,
            unsupported=_OTHER_NORMS,
            buffers=False,
            vector_shapes=_GRN,
            split=True,
            linear_pointwise=True,
        ),
        Layout(
            name="transformers classifier",
            library="transformers",
            backbone=TASK_RULES,
            beside_by_adapter={"resnet": (("classifier.1.", "head.fc."),)},
            beside=(("classifier.", "head.fc."),),
            concatenated=True,
            ignored=_POOLER,
            unsupported=_OTHER_NORMS,
            buffers=False,
            vector_shapes=_GRN,
            split=True,
            linear_pointwise=True,
        ),
        Layout(
            name="transformers masked image modelling",
            library="transformers",
            backbone={adapter: TASK_RULES[adapter] for adapter in _MASK_TOKENS},
            beside_by_adapter={
                **_MASK_TOKENS,
                "vit": (*_MASK_TOKENS["vit"], ("layernorm.", "backbone.ln1.")),
            },
            beside=(("decoder.0.", "decoder.projection."),),
            concatenated=True,
            ignored=((r"lm_head\..*", "head that predicts a tokenizer's tokens"),),
            unsupported=_OTHER_NORMS,
            buffers=False,
            split=True,
        ),
        Layout(
            name="transformers backbone",
            library="transformers",
            backbone=BACKBONE_RULES,
            concatenated=True,
            ignored=(
                (r"((swin|swinv2)\.)?layernorm\..*", "norm that the backbone class does not apply"),
            ),
            buffers=False,
            vector_shapes=_GRN,
            split=True,
            linear_pointwise=True,
        ),
    )
}
"""By name; among layouts that fit equally well the first is taken."""


_ALL = Table("layout of checkpoints", LAYOUTS)


def layouts() -> Mapping[str, Layout]:
    """All layouts by name: ours, then those of users."""
    return _ALL.all()


def register_checkpoint_layout(
    layout: Layout, configs: Mapping[str, Callable[[State], dict[str, Any]]] | None = None
) -> Layout:
    """Let files of one more layout be read: by ``convert``, ``--pretrained``, ``--init``, suites.

    A file is recognised by its keys; it is data, and nothing in it is executed.

    Args:
        layout: How its keys are translated to those of our backbones.
        configs: For each backbone that is not one of the package: adapter to a function from
            the weights, under the backbone's own keys, to the config that builds it.

    Returns:
        The layout.

    Raises:
        BenchError: If the name is taken, or the config of an adapter cannot be known.
    """
    for adapter, function in (configs or {}).items():
        INFER.add(adapter, partial(_architecture, adapter, function), caller())
    for adapter in layout.backbone:
        if adapter not in INFER:
            raise BenchError(
                f"the layout {layout.name!r} has rules for the adapter {adapter!r}, whose config "
                f"is not known from weights; give configs={{{adapter!r}: FUNCTION}}"
            )
    _ALL.add(layout.name, layout, caller())
    return layout


def _architecture(
    adapter: str, function: Callable[[State], dict[str, Any]], state: State
) -> Architecture:
    return Architecture(adapter, function(state))


def target_layout(library: str, adapter: str, beside: Collection[str]) -> Layout:
    """Layout that is written for a library; it depends on what there is beside the backbone.

    Args:
        library: One of ``TARGETS``.
        adapter: Name of the backbone's adapter.
        beside: Our names of the tensors beside the backbone.
    """
    pretraining = "mask_token" in beside
    if library == "transformers":
        decoder = pretraining and "decoder.projection.weight" in beside
        if decoder and adapter in ("swin", "swinv2", "plain_vit"):
            return LAYOUTS["transformers masked image modelling"]
        classifier = "head.fc.weight" in beside
        return LAYOUTS["transformers classifier" if classifier else "transformers model"]
    stages = {
        "simmim": ("simmim fine-tuning", "simmim pretraining"),
        "mmpretrain": ("mmpretrain classifier", "mmpretrain pretraining"),
    }
    single = {
        "simmim_bench": "simmim_bench backbone",
        "simmim_bench-pretraining": "simmim_bench pretraining",
        "timm": "timm",
        "torchvision": "torchvision",
        "facebookresearch": "facebookresearch",
        "mmdet": "mmdet or mmseg",
    }
    return LAYOUTS[stages[library][pretraining] if library in stages else single[library]]
