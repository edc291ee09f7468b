"""Specification of the demo data: counts and sizes. Changing any value changes the data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

VERSION = 1
"""Increased when the same spec gives other pixels or labels."""

CLASSES = tuple(f"digit_{digit}" for digit in range(10))
"""Class names; their sorted order is the label."""


@dataclass(frozen=True)
class Split:
    """One folder of images, and the photographs and digits that it may use."""

    number: int
    """Position among the splits; part of every image's seed."""
    name: str
    half: str
    """``train`` or ``val``: which photographs and digits it may use."""
    count: int
    scene_every: int
    """Every n-th image is a scene, the others show one object; 0: no scenes."""

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
    """Side of an image of one object, in pixels."""
    scene_size: int = 96
    object_digit: tuple[int, int] = (50, 62)
    """Smallest and largest side of a digit in an image of one object, in pixels."""
    scene_digit: tuple[int, int] = (30, 48)
    max_digits: int = 4
    """Largest number of digits in a scene."""
    min_visible: float = 0.8
    """Smallest visible share of a digit."""
    rotation: float = 10.0
    """Largest rotation in either direction, in degrees."""

    def splits(self) -> tuple[Split, ...]:
        """All splits, in the order of the content hash."""
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
