"""Sections of the page: attention, similarity, rank, neighbourhoods, Grad-CAM."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

from simmim_bench.analysis.images import Pictures
from simmim_bench.analysis.representation import charts
from simmim_bench.analysis.representation.grad_cam import evidence
from simmim_bench.analysis.representation.layers import OUTPUT
from simmim_bench.analysis.representation.look import Look
from simmim_bench.analysis.representation.measures import (
    FEWEST_TSNE,
    aligned,
    effective_rank,
    most_rank,
    nearest_alike,
    neighbourhoods,
)
from simmim_bench.analysis.representation.page import Picture, Section
from simmim_bench.records.pictures import as_data_url

MOST_CLASSES = 36  # that colours and markers can distinguish


def attention_section(looks: Sequence[Look]) -> Section:
    """Distance of each head of each attention layer."""
    heading = "Attention distance"
    without = [look.subject.name for look in looks if not look.reach]
    left_out = f"Not shown, because its attention cannot be read: {', '.join(without)}."
    if len(without) == len(looks):
        return Section(heading, (left_out,))
    text = (
        "How far heads look: the distance between the centres of the patches of query and key, "
        "weighted by attention, mean over queries and images, in pixels of the model's input. "
        "A dot is a head, the line is their mean, the dashed line is uniform attention. In Swin, "
        "windows limit the distance."
    )
    rows = [
        [look.subject.name, layer, head, distance, reach.uniform]
        for look in looks
        for layer, reach in enumerate(look.reach, 1)
        for head, distance in enumerate(reach.heads, 1)
    ]
    most = 1.08 * max(max(*reach.heads, reach.uniform) for look in looks for reach in look.reach)
    colours = charts.colour_of([look.subject.name for look in looks])
    drawn = tuple(
        ("", charts.reach_chart(look, colour=colours[look.subject.name], most=most))
        for look in looks
        if look.reach
    )
    header = ["model", "attention_layer", "head", "distance_pixels", "uniform_pixels"]
    return Section(
        heading,
        (text, left_out) if without else (text,),
        charts=drawn,
        rows=[header, *rows],
        file="attention_distance.csv",
    )


def alignment_section(looks: Sequence[Look]) -> Section:
    """CKA between all layers of all pairs of models."""
    rows: list[list[object]] = [["model", "layer", "other_model", "other_layer", "cka"]]
    drawn = []
    for first, second in combinations_with_replacement(looks, 2):
        values = aligned(list(first.features.values()), list(second.features.values()))
        drawn.append(("", charts.alignment_chart(first, second, values)))
        rows += [
            [first.subject.name, layer, second.subject.name, other, values[row, column]]
            for row, layer in enumerate(first.features)
            for column, other in enumerate(second.features)
        ]
    text = (
        "Linear CKA, debiased, of features averaged over positions: 1 if two layers are equal up "
        "to rotation and scale; near 0 if they are unrelated. In a bright block, the layers hardly "
        "change the features."
    )
    return Section("Similarity of layers", (text,), tuple(drawn), rows=rows, file="cka.csv")


def rank_section(looks: Sequence[Look]) -> Section:
    """Effective rank of each layer."""
    rows: list[list[object]] = [["model", "layer", "effective_rank", "most", "channels"]]
    shares = []
    for look in looks:
        ranks = {name: effective_rank(layer) for name, layer in look.features.items()}
        most = {name: most_rank(layer) for name, layer in look.features.items()}
        shares.append([100 * ranks[name] / most[name] for name in ranks])
        rows += [
            [look.subject.name, name, rank, most[name], look.features[name].shape[1]]
            for name, rank in ranks.items()
        ]
    text = (
        "Number of directions in which the images vary: exponential of the entropy of the singular "
        "values of centred features, averaged over positions, in percent of the largest value that "
        "the numbers of channels and images allow."
    )
    drawn = (("", charts.rank_chart([look.subject.name for look in looks], shares)),)
    return Section("Effective rank", (text,), drawn, rows=rows, file="effective_rank.csv")


def neighbourhood_section(looks: Sequence[Look], pictures: Pictures, *, seed: int) -> Section:
    """t-SNE of the deepest output."""
    heading = "Neighbourhoods (t-SNE)"
    if len(pictures.paths) < FEWEST_TSNE:
        return Section(heading, (f"Not shown: t-SNE needs at least {FEWEST_TSNE} images.",))
    classes = list(pictures.classes) or [""] * len(pictures.paths)
    few = 0 < len(set(pictures.classes)) <= MOST_CLASSES
    rows: list[list[object]] = [["model", "image", "class", "x", "y"]]
    drawn = []
    for look in looks:
        features = look.features[OUTPUT]
        places = neighbourhoods(features, seed=seed)
        caption = look.subject.name
        if pictures.classes:
            right = nearest_alike(features, classes)
            caption += f": {right:.1f} % have their nearest neighbour in their own class"
        drawn.append((caption, charts.map_chart(places, classes if few else [])))
        rows += [
            [look.subject.name, str(path), name, float(x), float(y)]
            for path, name, (x, y) in zip(pictures.paths, classes, places, strict=True)
        ]
    text = [
        "Output of the backbone, averaged over positions and scaled to unit length, in two "
        "dimensions: similar images are near each other. Distances between distant groups have no "
        "meaning."
    ]
    if not pictures.classes:
        text.append("The images are not in class folders, so they have no colours.")
    elif not few:
        text.append(f"There are more than {MOST_CLASSES} classes, too many for colours.")
    return Section(heading, tuple(text), tuple(drawn), rows=rows, file="tsne.csv")


def evidence_section(
    looks: Sequence[Look], pictures: Pictures, *, target: str | None, layer: str | None
) -> Section:
    """Grad-CAM of each classifier."""
    rows: list[list[object]] = [["model", "image", "class", "explained", "probability_percent"]]
    shown = []
    for subject in (look.subject for look in looks if look.subject.classifier):
        for item in evidence(subject, pictures, target=target, layer=layer):
            rows.append([subject.name, item.image, item.true, item.explained, item.probability])
            caption = f"{subject.name}: {item.explained} {item.probability:.0f} %"
            caption += f", is {item.true}" if item.true else ""
            shown.append(Picture(as_data_url(item.jpeg), item.image, caption))
    text = (
        "Grad-CAM: bright where the image speaks for the named class, scaled by the largest value "
        "of each image; dark if no part does. The percentage is the probability of the class."
    )
    return Section(
        "Evidence (Grad-CAM)", (text,), pictures=tuple(shown), rows=rows, file="grad_cam.csv"
    )
