"""Layouts of checkpoint files, as data: one entry a kind of file, one rule table a backbone.

Our side of every rule is a key of a pretraining checkpoint of ours: ``backbone.*``, ``mask_token``,
``decoder.*``; the head of a classifier is ``head.fc.*``. Converting another backbone needs its
tables in ``keymaps`` under the name of its adapter, a function in ``architecture`` and one for each
library in ``libraries``; this file stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simmim_bench.weights.convert.keymaps import (
    ALGORITHM_RULES,
    CLASSIFIER_RULES,
    CONVNEXT_RULES,
    DROPPED,
    ORIGINAL_RULES,
    OWN_RULES,
    TIMM_RULES,
    TORCHVISION_RULES,
    KeyMap,
    Rule,
)

Reasons = tuple[tuple[str, str], ...]
TARGETS = (
    "simmim_bench",
    "simmim",
    "facebookresearch",
    "mmpretrain",
    "timm",
    "torchvision",
    "mmdet",
)
WITHOUT_PACKAGE = ("simmim", "facebookresearch")
"""Libraries that cannot be installed; another library replaces them when both sides are run."""

_OTHER_NORMS: Reasons = (
    (r"backbone\.norm[0-2]\..*", "output norm of an earlier stage, which only dense tasks have"),
)
_POOLED_NORM: Reasons = (
    (r"backbone\.ln2\..*", "norm of the pooled tokens, which belongs to a classifier"),
)
_FC: tuple[Rule, ...] = (("fc.", "head.fc."),)
_HEAD_FC: tuple[Rule, ...] = (("head.fc.", "head.fc."),)
_PREPROCESSOR: Reasons = ((r"data_preprocessor\..*", "image statistics, not weights"),)
_DENSE_PARTS = "neck|rpn_head|roi_head|bbox_head|mask_head|decode_head|auxiliary_head"


@dataclass(frozen=True)
class Layout:
    """How one kind of file names and orders its tensors.

    Args:
        name: Shown in reports.
        library: One of ``TARGETS``.
        backbone: Rules by adapter, without ``prefix`` and without our ``backbone.``.
        wrapper: Top-level key of the state dict; None if the file is the state dict.
        prefix: In front of the backbone's keys.
        beside: Rules of the keys beside the backbone.
        beside_by_adapter: The same for one adapter, tried first.
        concatenated: Whether patch merging concatenates its neighbours (original, timm).
        ignored: Keys of a file that are not converted, with the reason.
        unsupported: Our backbone keys that the layout does not have, with the reason.
        buffers: Whether indices and coordinates of relative positions are stored.
        column_scales: Whether layer scale is stored as (C, 1, 1) instead of (C,).
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
    column_scales: bool = False

    def key_map(self, adapter: str) -> KeyMap:
        """All rules for a file with this adapter's backbone."""
        inside = self.backbone[adapter]
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
            beside_by_adapter={"resnet": _FC, "convnext": (("classifier.2.", "head.fc."),)},
            unsupported=_OTHER_NORMS,
            column_scales=True,
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
    )
}
"""By name; among layouts that fit equally well the first is taken."""


def target_layout(library: str, *, has_mask_token: bool) -> Layout:
    """Layout that is written for a library: pretraining if there is a mask token."""
    stages = {
        "simmim": ("simmim fine-tuning", "simmim pretraining"),
        "mmpretrain": ("mmpretrain classifier", "mmpretrain pretraining"),
    }
    single = {
        "simmim_bench": "simmim_bench backbone",
        "timm": "timm",
        "torchvision": "torchvision",
        "facebookresearch": "facebookresearch",
        "mmdet": "mmdet or mmseg",
    }
    name = stages[library][has_mask_token] if library in stages else single[library]
    return LAYOUTS[name]
