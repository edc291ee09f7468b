"""Captions and questions about the scenes of the demo data, generated from their annotations.

Each image has five captions in the format of COCO, and questions with one answer in the format of
VQA v2 (https://visualqa.org/download.html). The files are beside the instances file of the split.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simmim_bench.data.demo.files import ADE_SPLITS, instances_path
from simmim_bench.data.demo.spec import CLASSES, DemoSpec, Split
from simmim_bench.io import atomic_write_text

KINDS = ("captions", "vqa_questions", "vqa_annotations")
COUNTS = ("no", "one", "two", "three", "four")
_STREAM = 1  # part of the seed key, different from that of the images
_NEAR = 0.08  # share of the side; nearer to the middle counts as central


@dataclass(frozen=True)
class Digit:
    """One digit of a scene: its value, centre (shares of the side) and visible area (pixels)."""

    value: int
    x: float
    y: float
    area: int

    @property
    def name(self) -> str:
        """Value with its article: a 3, an 8."""
        return f"{'an' if self.value == 8 else 'a'} {self.value}"

    @property
    def place(self) -> str:
        """Position: top left, right, centre."""
        return " ".join(filter(None, (_side(self.y, "top", "bottom"), _side(self.x)))) or "centre"


def _side(value: float, low: str = "left", high: str = "right") -> str:
    if abs(value - 0.5) < _NEAR:
        return ""
    return low if value < 0.5 else high


def language_path(split: Split, kind: str) -> Path:
    """File of one of ``KINDS`` for a split of scenes, below the demo's folder."""
    instances = instances_path(split)
    return instances.with_name(instances.name.replace("instances", kind, 1))


def add_language(folder: Path, spec: DemoSpec) -> None:
    """Write missing captions and questions; existing files are kept."""
    for split in scene_splits(spec):
        paths = {kind: folder / language_path(split, kind) for kind in KINDS}
        if not all(path.is_file() for path in paths.values()):
            texts = documents(json.loads((folder / instances_path(split)).read_text("utf-8")), spec)
            for kind, path in paths.items():
                atomic_write_text(path, json.dumps(texts[kind], separators=(",", ":")))


def scene_splits(spec: DemoSpec) -> list[Split]:
    """The splits that have captions and questions."""
    return [split for split in spec.splits() if split.name in ADE_SPLITS]


def documents(instances: dict[str, Any], spec: DemoSpec) -> dict[str, dict[str, Any]]:
    """Documents of all ``KINDS`` for an instances document."""
    scenes: dict[int, list[Digit]] = defaultdict(list)
    for each in instances["annotations"]:
        left, top, width, height = each["bbox"]
        x, y = (left + width / 2) / spec.scene_size, (top + height / 2) / spec.scene_size
        scenes[each["image_id"]].append(Digit(each["category_id"] - 1, x, y, each["area"]))
    captions: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []
    answered: list[dict[str, Any]] = []
    for image in instances["images"]:
        number, scene = image["id"], scenes[image["id"]]
        for text in captions_of(scene):
            captions.append({"id": len(captions) + 1, "image_id": number, "caption": text})
        rng = np.random.default_rng([spec.seed, number, _STREAM])
        for kind, question, answer in questions_of(scene, rng):
            of = {"question_id": len(asked) + 1, "image_id": number}
            asked.append({**of, "question": question})
            answered.append(
                {
                    **of,
                    "question_type": kind,
                    "answer_type": "yes/no" if answer in ("yes", "no") else "number",
                    "multiple_choice_answer": answer,
                    "answers": [{"answer_id": 1, "answer": answer, "answer_confidence": "yes"}],
                }
            )
    info = instances["info"]
    return {
        "captions": {"info": info, "images": instances["images"], "annotations": captions},
        "vqa_questions": {"info": info, "questions": asked},
        "vqa_annotations": {"info": info, "annotations": answered},
    }


def captions_of(scene: list[Digit]) -> list[str]:
    """Five sentences, each of which names every digit of ``scene``."""
    across = sorted(scene, key=lambda digit: digit.x)
    down = sorted(scene, key=lambda digit: digit.y)
    largest, *others = sorted(scene, key=lambda digit: -digit.area)
    plural = "digit" if len(scene) == 1 else "digits"
    names = ", ".join(digit.name for digit in across)
    rest = f", with {', '.join(digit.name for digit in others)}" if others else " alone"
    return [
        " and ".join(f"{digit.name} at the {digit.place}" for digit in across),
        f"{COUNTS[len(scene)]} handwritten {plural}, {names}, on a photograph",
        f"from left to right: {', '.join(str(digit.value) for digit in across)}",
        f"from top to bottom: {', '.join(str(digit.value) for digit in down)}",
        f"{largest.name} is the largest, at the {largest.place}{rest}",
    ]


def questions_of(scene: list[Digit], rng: np.random.Generator) -> list[tuple[str, str, str]]:
    """Type, question and answer of each question; ``rng`` chooses the digits."""
    present = sorted({digit.value for digit in scene})
    absent = [value for value in range(len(CLASSES)) if value not in present]
    there = bool(rng.integers(2))
    wanted = int(rng.choice(present if there else absent))
    leftmost = min(scene, key=lambda digit: digit.x)
    largest = max(scene, key=lambda digit: digit.area)
    questions = [
        ("count", "how many digits are there?", str(len(scene))),
        ("presence", f"is there {Digit(wanted, 0, 0, 0).name}?", "yes" if there else "no"),
        ("leftmost", "which digit is furthest to the left?", str(leftmost.value)),
        ("largest", "which digit is the largest?", str(largest.value)),
    ]
    single = [d for d in scene if sum(other.value == d.value for other in scene) == 1]
    if len(single) > 1:
        one, other = (single[k] for k in rng.permutation(len(single))[:2])
        question = f"is the {one.value} to the left of the {other.value}?"
        questions.append(("comparison", question, "yes" if one.x < other.x else "no"))
    return questions
