"""Training and validation images: the data's own parts, or a reproducible split."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from simmim_bench.data.image_files import shown
from simmim_bench.data.importing.samples import SHOWN, Sample, Skipped
from simmim_bench.data.own import TRAIN, VAL

SHARE = 0.8
"""Of the images are for training, where the data state no parts."""
ALSO_VALIDATION = "training images are left out, as the same content is a validation image"
NOT_USED = "images are of a part that is not used, as there are validation images"


def divide(
    samples: Sequence[Sample],
    contents: Mapping[Sample, str],
    *,
    share: float | None,
    seed: int,
    labelled: bool,
    skipped: Skipped,
) -> tuple[dict[Sample, str], str]:
    """The part, ``train`` or ``val``, of each image that is used, and a sentence that says how.

    Images of the same content are never in both parts.

    Args:
        samples: The images.
        contents: Hash of each.
        share: For training; None: the data's own parts if they state them.
        seed: Of the split.
        labelled: Whether the images have labels; without, all are for training by default.
        skipped: What is left out is added.
    """
    stated = {sample.split for sample in samples}
    if share is None and stated & {"train", ""} and stated & {"val", "test"}:
        return _as_stated(samples, contents, skipped)
    if share is None and not labelled:
        return dict.fromkeys(samples, TRAIN), "all images are for training"
    share = SHARE if share is None else share
    parts = split_by_hash(samples, contents, share=share, seed=seed)
    return parts, f"split by the hash of each name (seed {seed}), {share:g} for training"


def _as_stated(
    samples: Sequence[Sample], contents: Mapping[Sample, str], skipped: Skipped
) -> tuple[dict[Sample, str], str]:
    validation = "val" if any(sample.split == "val" for sample in samples) else "test"
    parts = {}
    held_out = {contents[sample] for sample in samples if sample.split == validation}
    for sample in samples:
        if sample.split == validation:
            parts[sample] = VAL
        elif sample.split not in ("train", ""):
            skipped.add(NOT_USED, sample.name)
        elif contents[sample] in held_out:
            skipped.add(ALSO_VALIDATION, sample.name)
        else:
            parts[sample] = TRAIN
    how = "the data's own parts" + (", test for validation" if validation == "test" else "")
    return parts, how


def split_by_hash(
    samples: Sequence[Sample], contents: Mapping[Sample, str], *, share: float, seed: int
) -> dict[Sample, str]:
    """A split that depends on names and the seed alone, with the same share of each class.

    Args:
        samples: The images.
        contents: Hash of each; images of the same content stay together.
        share: For training; of two or more images of a class each part has at least one.
        seed: Another one gives another split.
    """
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda each: _rank(each.name, seed)):
        groups[contents[sample]].append(sample)
    classes: dict[str | None, list[list[Sample]]] = defaultdict(list)
    for group in groups.values():
        classes[group[0].label].append(group)
    parts = dict.fromkeys(samples, TRAIN)
    for found in classes.values():
        total = sum(map(len, found))
        wanted = max(round((1 - share) * total), 1) if share < 1 else 0
        for group in found[: len(found) - 1]:  # one stays for training
            if wanted <= 0:
                break
            parts.update(dict.fromkeys(group, VAL))
            wanted -= len(group)
    return parts


def absent_classes(
    classes_of: Mapping[Sample, set[str]], parts: Mapping[Sample, str], classes: Sequence[str]
) -> Iterator[str]:
    """A sentence about each part that has images, but none of some classes.

    Args:
        classes_of: Of each image; empty if they are not known.
        parts: Of each image.
        classes: All of them.
    """
    for part in (TRAIN, VAL) if classes_of else ():
        here = [classes_of[sample] for sample in parts if parts[sample] == part]
        lacking = sorted(set(classes) - set().union(*here)) if here else []
        if lacking:
            names = ", ".join(map(shown, lacking[:SHOWN])) + ", ..." * (len(lacking) > SHOWN)
            yield f"{part} has no image of {len(lacking)} of {len(classes)} classes: {names}"


def _rank(name: str, seed: int) -> str:
    text = unicodedata.normalize("NFC", name)
    return hashlib.sha256(f"{seed}/{text}".encode("utf-8", "surrogateescape")).hexdigest()
