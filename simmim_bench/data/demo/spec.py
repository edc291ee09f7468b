"""What is built: counts and sizes; a change of any value makes other data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

VERSION = 1
"""Raised whenever the generator makes other pixels or labels from the same spec."""

CLASSES = tuple(f"digit_{digit}" for digit in range(10))
"""Class names; their sorted order is the label."""


@dataclass(frozen=True)
class Split:
    """One folder of images: where it lies and what it is drawn from."""

    number: int
    """Position among the splits; part of every image's seed."""
    name: str
    half: str
    """``train`` or ``val``: which photographs and digits it may use."""
    count: int
    scene_every: int
    """Every n-th image is a scene, the others are object-centric; 0: none is."""

    def is_scene(self, index: int) -> bool:
        """Whether image ``index`` is a scene."""
        return self.scene_every > 0 and index % self.scene_every == self.scene_every - 1


@dataclass(frozen=True)
class DemoSpec:
    """Counts and sizes; the defaults are the demo data that the configs use."""

    seed: int = 0
    train_objects: int = 4000
    val_objects: int = 1000
    unlabelled: int = 12000
    train_scenes: int = 2000
    val_scenes: int = 300
    object_size: int = 64
    """Side of an object-centric image, pixels."""
    scene_size: int = 96
    object_digit: tuple[int, int] = (50, 62)
    """Least and largest side of the digit in an object-centric image, pixels."""
    scene_digit: tuple[int, int] = (30, 48)
    max_digits: int = 4
    """Most digits in a scene."""
    min_visible: float = 0.8
    """Least share of a digit that the digits above it leave visible."""
    rotation: float = 10.0
    """Largest rotation to either side, degrees."""

    def splits(self) -> tuple[Split, ...]:
        """Every split, in the order in which the content hash reads them."""
        return (
            Split(0, "imagenet/train", "train", self.train_objects, scene_every=0),
            Split(1, "imagenet/val", "val", self.val_objects, scene_every=0),
            Split(2, "unlabelled", "train", self.unlabelled, scene_every=3),
            Split(3, "coco/train2017", "train", self.train_scenes, scene_every=1),
            Split(4, "coco/val2017", "val", self.val_scenes, scene_every=1),
        )

    def fingerprint(self) -> str:
        """SHA-256 of the generator's version and every parameter."""
        text = json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
