"""``simmim-bench analyze representation``: open models, run them on images, write the page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from simmim_bench.errors import BenchError
from simmim_bench.io import atomic_write_json, atomic_write_text
from simmim_bench.progress import progress_bar

PAGE, FACTS = "analysis.html", "analysis.json"
MOST_MODELS = 6  # or pretrainings; colours can distinguish this many


def analyze(args: argparse.Namespace, console: Console) -> None:
    """Write ``analysis.html``, ``analysis.json`` and a CSV file per section into ``args.out``.

    Args:
        args: Namespace of ``simmim-bench analyze representation``.
        console: Prints the names of the written files.

    Raises:
        BenchError: If an image, a model, a class or a layer is not usable.
    """
    _check(args)
    from simmim_bench.training.failures import explained
    from simmim_bench.training.process import prepare

    prepare("none", "mmpretrain")
    from simmim_bench.analysis.images import choose
    from simmim_bench.analysis.models import open_subject
    from simmim_bench.analysis.representation import page
    from simmim_bench.analysis.representation.page import write_rows

    pictures = choose(args.images, count=args.count)
    with explained("analysis"):
        subjects = [open_subject(given, seed=args.seed) for given in args.model]
        if not any(subject.classifier for subject in subjects):
            _refuse_without_classifier(args)
        sections = _looks(subjects, pictures, args) if subjects else []
        if args.over_checkpoints:
            sections.append(_over_checkpoints(pictures, args))
    classes = f" of {len(set(pictures.classes))} classes" if pictures.classes else ""
    titles = {
        "title": "Analysis: " + (", ".join(s.name for s in subjects) or "checkpoints"),
        "subtitle": f"{len(pictures.paths)} images{classes}, seed {args.seed}",
    }
    text = page.render(subjects, sections, **titles)
    args.out.mkdir(parents=True, exist_ok=True)
    for section in sections:
        write_rows(section, args.out)
    known: dict[str, Any] = {
        "models": [page.facts(subject) for subject in subjects],
        "images": [str(path) for path in pictures.paths],
        "classes": list(pictures.classes),
        "seed": args.seed,
        "files": [section.file for section in sections if section.file],
    }
    atomic_write_json(args.out / FACTS, known)
    atomic_write_text(args.out / PAGE, text)
    console.print(f"written: {args.out / PAGE}", soft_wrap=True)


def _check(args: argparse.Namespace) -> None:
    """Check the arguments before torch is imported."""
    if not args.model and not args.over_checkpoints:
        raise BenchError("nothing to analyse; give --model NAME=FILE or --over-checkpoints DIR")
    names = [given.partition("=")[0] for given in args.model]
    if len(set(names)) < len(names):
        raise BenchError(f"models have the names {', '.join(names)}; give them different names")
    if len(names) > MOST_MODELS:
        raise BenchError(f"got {len(names)} models, expected at most {MOST_MODELS}; compare fewer")
    if args.knn and not args.over_checkpoints:
        raise BenchError("--knn needs --over-checkpoints DIR")


def _refuse_without_classifier(args: argparse.Namespace) -> None:
    for flag, value in (("--target-class", args.target_class), ("--cam-layer", args.cam_layer)):
        if value is not None:
            raise BenchError(
                f"{flag} is for Grad-CAM, which needs a classifier, but no --model is one; give "
                f"the checkpoint or the folder of a finished classification"
            )


def _looks(subjects: Sequence[Any], pictures: Any, args: argparse.Namespace) -> list[Any]:
    from simmim_bench.analysis.representation import sections
    from simmim_bench.analysis.representation.look import look

    with progress_bar("images", len(subjects) * len(pictures.paths)) as advance:
        looks = [look(subject, pictures, advance) for subject in subjects]
    made = [
        sections.attention_section(looks),
        sections.alignment_section(looks),
        sections.rank_section(looks),
        sections.neighbourhood_section(looks, pictures, seed=args.seed),
    ]
    if any(subject.classifier for subject in subjects):
        how = {"target": args.target_class, "layer": args.cam_layer}
        made.append(sections.evidence_section(looks, pictures, **how))
    return made


def _over_checkpoints(pictures: Any, args: argparse.Namespace) -> Any:
    from simmim_bench.analysis.representation import over_checkpoints as over
    from simmim_bench.analysis.representation.over_checkpoints import checkpoint_section

    below = over.checkpoints_below(args.over_checkpoints)
    found = {name: paths for name, paths in below.items() if over.has_error(paths[0])}
    if not found:
        raise BenchError(
            f"none of the {len(below)} pretrainings below {args.over_checkpoints} predicts pixels; "
            f"give one of SimMIM"
        )
    if len(found) > MOST_MODELS:
        raise BenchError(
            f"{len(found)} pretrainings below {args.over_checkpoints} predict pixels, expected "
            f"at most {MOST_MODELS}; give a folder with fewer"
        )
    configs = {
        name: over.knn_config(args.over_checkpoints, paths[0], args.knn)
        for name, paths in found.items()
    }
    with progress_bar("checkpoints", sum(map(len, found.values()))) as advance:
        lines = {
            name: over.measure(paths, configs[name], pictures.paths, advance, seed=args.seed)
            for name, paths in found.items()
        }
    return checkpoint_section(lines, configs, without=sorted(below.keys() - found.keys()))
