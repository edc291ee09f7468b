"""Predictions of each task: how they are computed for a batch, and what is written of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine.dataset import default_collate, pseudo_collate
from PIL import Image

from simmim_bench.analysis.predict.images import Item
from simmim_bench.analysis.predict.trained import NEIGHBOURS, PRETRAINING, Trained
from simmim_bench.data.pixels import Pixels
from simmim_bench.io import atomic_path, atomic_write_json, atomic_write_text, csv_text, read_text
from simmim_bench.reconstruction import TITLES, Prediction, denormalised, picture_bands, save_png
from simmim_bench.tasks.knn import STORED_IMAGES
from simmim_bench.tasks.pictures import (
    COLUMNS,
    ROWS,
    colours,
    draw_label_map,
    draw_names,
    draw_objects,
    objects_of,
    save_picture,
    sheet,
    side_by_side,
    top_classes,
)

TABLE, DOCUMENT = "predictions.csv", "predictions.json"
SHOWN = 3  # classes below an image of a sheet
MOST_OBJECTS = 20  # in a picture, so that names stay readable
MOST_COLOURS = 256  # of a PNG with a palette
MILLIMETRES = 1000  # of a metre


class Results:
    """Predictions of one task. A subclass computes those of a batch and writes them.

    Args:
        trained: The run.
        out: Folder.
        top: Number of classes or neighbours of an image.
        threshold: Least score of a drawn object.

    Attributes:
        batch: Images of a batch, by default.
        rows: Of the table: its head, then one for each image.
    """

    batch: ClassVar[int] = 32

    def __init__(self, trained: Trained, out: Path, *, top: int, threshold: float) -> None:
        self.trained, self.out, self.top, self.threshold = trained, out, top, threshold
        self.rows: list[list[Any]] = []

    @torch.no_grad()
    def predict(self, samples: Sequence[Any]) -> Sequence[Any]:
        """Predictions for samples whose images have one size."""
        stacks = self.trained.cfg.default_scope == "mmpretrain"
        collate = default_collate if stacks else pseudo_collate
        predicted: Sequence[Any] = self.trained.model.test_step(collate(samples))
        return predicted

    def add(self, item: Item, predicted: Any) -> str:
        """Keep or write a prediction; a few words about it."""
        raise NotImplementedError

    def finish(self) -> list[str]:
        """Write what is left; a line about each thing that was written."""
        atomic_write_text(self.out / TABLE, csv_text(self.rows))
        return [f"{self.out / TABLE}: a row for each image"]


class Classification(Results):
    """Most probable classes: a table, and sheets of the images."""

    def __init__(self, trained: Trained, out: Path, **options: Any) -> None:
        super().__init__(trained, out, **options)
        self.top = min(self.top, len(trained.classes))
        self.tiles: list[Pixels] = []
        self.sheets = 0
        self.rows = [["image", *_numbered(("class", "probability"), self.top)]]

    def add(self, item: Item, predicted: Any) -> str:
        """Add a row and a tile."""
        best = top_classes(predicted.pred_score, self.trained.classes, self.top)
        self.rows.append([str(item.given.path), *_flat(best)])
        self._tile(item, [f"{name} {100 * share:.0f} %" for name, share in best[:SHOWN]])
        return f"{best[0][0]} {100 * best[0][1]:.1f} %"

    def _tile(self, item: Item, lines: Sequence[str]) -> None:
        self.tiles.append(draw_names(item.picture, lines, item.given.name))
        if len(self.tiles) == COLUMNS * ROWS:
            self._write_sheet()

    def _write_sheet(self) -> None:
        if self.tiles:
            self.sheets += 1
            save_picture(sheet(self.tiles), self.out / "sheets" / f"sheet_{self.sheets:03}.png")
            self.tiles = []

    def finish(self) -> list[str]:
        """Write the table and the last sheet."""
        self._write_sheet()
        return [*super().finish(), f"{self.out / 'sheets'}: the images with their classes"]


class Neighbours(Classification):
    """Votes of the nearest training images, whose features the checkpoint holds."""

    def __init__(self, trained: Trained, out: Path, **options: Any) -> None:
        super().__init__(trained, out, **options)
        self.voters = _voters(trained)
        self.names = _stored_names(trained)
        near = min(options["top"], max(trained.model.neighbours), len(trained.model.labels))
        columns = _numbered(("class", "votes"), self.top) + _numbered(("nearest", "cosine"), near)
        self.near, self.rows = near, [["image", *columns]]

    @torch.no_grad()
    def predict(self, samples: Sequence[Any]) -> Sequence[Any]:
        """Shares of the votes, similarity and row of the nearest, for each image."""
        model = self.trained.model
        data = model.data_preprocessor(default_collate(samples), False)
        similarity, rows = model.nearest(model(data["inputs"]))
        votes = model.votes(similarity, rows)[:, min(self.voters, rows.shape[1]) - 1]
        shares = votes / votes.sum(1, keepdim=True)
        return list(zip(*(each.cpu() for each in (shares, similarity, rows)), strict=True))

    def add(self, item: Item, predicted: Any) -> str:
        """Add a row and a tile."""
        shares, similarity, rows = predicted
        best = top_classes(shares, self.trained.classes, self.top)
        nearest = [(self.names(row), similarity[n].item()) for n, row in enumerate(rows.tolist())]
        self.rows.append([str(item.given.path), *_flat(best), *_flat(nearest[: self.near])])
        self._tile(item, [f"{name} {100 * share:.0f} %" for name, share in best[:SHOWN]])
        return f"{best[0][0]}, {100 * best[0][1]:.0f} % of the votes"


def _voters(trained: Trained) -> int:
    """Number of neighbours that vote: that of the protocol's primary metric."""
    protocol = trained.cfg.protocol
    found = re.fullmatch(r"knn/top1_k(\d+)", str(protocol.metrics.get(protocol.primary)))
    voters = int(found.group(1)) if found else 0
    neighbours: tuple[int, ...] = trained.model.neighbours
    return voters if voters in neighbours else max(neighbours)


def _stored_names(trained: Trained) -> Any:
    """Function that names the image of a row: by its path, if the run has kept the list."""
    path, labels = trained.folder / STORED_IMAGES, trained.model.labels.tolist()
    lines = read_text(path).splitlines() if path.is_file() else []
    if len(lines) == len(labels):
        return lines.__getitem__
    return lambda row: f"training image {row} ({trained.classes[labels[row]]})"


class Detection(Results):
    """Objects: a document in COCO's format, and pictures."""

    batch = 1

    def __init__(self, trained: Trained, out: Path, **options: Any) -> None:
        super().__init__(trained, out, **options)
        self.images: list[dict[str, Any]] = []
        self.found: list[dict[str, Any]] = []
        self.crowded = 0  # images with more objects than are drawn

    def add(self, item: Item, predicted: Any) -> str:
        """Keep the objects and write the picture."""
        objects = objects_of(predicted.pred_instances)
        scores = predicted.pred_instances.scores.tolist()
        number = len(self.images) + 1
        height, width, _ = item.picture.shape
        self.images.append(
            {"id": number, "file_name": item.given.name, "width": width, "height": height}
        )
        for place, (box, label) in enumerate(zip(objects.boxes, objects.labels, strict=True)):
            mask = None if objects.masks is None else objects.masks[place]
            left, top, right, bottom = (float(edge) for edge in box)
            entry = {
                "id": len(self.found) + 1,
                "image_id": number,
                "category_id": int(label) + 1,
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top) if mask is None else int(mask.sum()),
                "iscrowd": 0,
                "score": scores[place],
            }
            self.found.append(entry if mask is None else {**entry, "segmentation": _runs(mask)})
        shown = objects_of(predicted.pred_instances, self.threshold, MOST_OBJECTS)
        count = sum(score >= self.threshold for score in scores)
        self.crowded += count > MOST_OBJECTS
        drawn = draw_objects(item.picture, shown, self.trained.classes)
        save_picture(drawn, self.out / "pictures" / f"{item.given.stem}.png")
        return f"{count} objects" + (f", {MOST_OBJECTS} drawn" if count > MOST_OBJECTS else "")

    def finish(self) -> list[str]:
        """Write the document."""
        named = enumerate(self.trained.classes, start=1)
        document = {
            "info": {"description": f"predictions of {self.trained.checkpoint}"},
            "images": self.images,
            "categories": [{"id": number, "name": name} for number, name in named],
            "annotations": self.found,
        }
        atomic_write_json(self.out / DOCUMENT, document)
        few = f"; the {MOST_OBJECTS} best of {self.crowded} images that have more"
        few = few if self.crowded else ""
        return [
            f"{self.out / DOCUMENT}: {len(self.found)} objects in COCO's format, of every score",
            f"{self.out / 'pictures'}: those with a score of at least {self.threshold:g}{few}",
        ]


def _runs(mask: Any) -> dict[str, Any]:
    """Run lengths of a mask, as COCO's tools write them."""
    from pycocotools.mask import encode

    encoded = encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")}


class Segmentation(Results):
    """Label maps with the values of the training data's own maps, and pictures."""

    batch = 1

    def __init__(self, trained: Trained, out: Path, **options: Any) -> None:
        super().__init__(trained, out, **options)
        self.first = int(bool(trained.dataset.get("reduce_zero_label")))
        self.counts = np.zeros(len(trained.classes), np.int64)
        self.palette = colours(len(trained.classes))

    def add(self, item: Item, predicted: Any) -> str:
        """Write the label map and the picture."""
        labels = predicted.pred_sem_seg.data[0].cpu().numpy().astype(np.int64)
        counts = np.bincount(labels.flatten(), minlength=len(self.counts))
        self.counts += counts
        self._write_map(labels + self.first, self.out / "labels" / f"{item.given.stem}.png")
        drawn = draw_label_map(item.picture, labels, self.trained.classes)
        save_picture(drawn, self.out / "pictures" / f"{item.given.stem}.png")
        most = int(counts.argmax())
        return f"{100 * counts[most] / labels.size:.0f} % {self.trained.classes[most]}"

    def _write_map(self, values: Any, path: Path) -> None:
        with atomic_path(path) as temporary:
            if len(self.palette) + self.first > MOST_COLOURS:
                Image.fromarray(values.astype(np.uint16)).save(temporary, format="PNG")
                return
            image = Image.fromarray(values.astype(np.uint8), mode="P")
            image.putpalette([part for c in ((0, 0, 0),) * self.first + self.palette for part in c])
            image.save(temporary, format="PNG")

    def finish(self) -> list[str]:
        """Write the values, names and colours of the classes."""
        named = zip(self.trained.classes, self.palette, self.counts.tolist(), strict=True)
        self.rows = [["value", "class", "colour", "pixels"]]
        self.rows += [
            [value, name, f"#{bytes(colour).hex()}", count]
            for value, (name, colour, count) in enumerate(named, start=self.first)
        ]
        atomic_write_text(self.out / "classes.csv", csv_text(self.rows))
        zero = ", 0 is not predicted" if self.first else ""
        return [
            f"{self.out / 'labels'}: label maps; their values are in classes.csv{zero}",
            f"{self.out / 'pictures'}: the same upon the images",
        ]


class Depth(Results):
    """Depth maps in millimetres, as NYU's are stored, and pictures in colours."""

    batch = 1

    def __init__(self, trained: Trained, out: Path, **options: Any) -> None:
        super().__init__(trained, out, **options)
        self.rows = [["image", "nearest (m)", "median (m)", "farthest (m)"]]

    def add(self, item: Item, predicted: Any) -> str:
        """Write the map and the picture, and add a row."""
        from matplotlib import colormaps

        depth = predicted.pred_depth_map.data[0].cpu().numpy().astype(np.float64)
        near, middle, far = (float(value) for value in np.percentile(depth, (0, 50, 100)))
        self.rows.append([str(item.given.path), near, middle, far])
        millimetres = np.clip(np.rint(MILLIMETRES * depth), 0, np.iinfo(np.uint16).max)
        with atomic_path(self.out / "depth" / f"{item.given.stem}.png") as temporary:
            Image.fromarray(millimetres.astype(np.uint16)).save(temporary, format="PNG")
        drawn = colormaps["viridis_r"]((depth - near) / max(far - near, 1e-9), bytes=True)[..., :3]
        titles = ["image", f"{near:.2f} m (yellow) to {far:.2f} m"]
        both = side_by_side([item.picture, np.ascontiguousarray(drawn)], titles)
        save_picture(both, self.out / "pictures" / f"{item.given.stem}.png")
        return f"{near:.2f} to {far:.2f} m"

    def finish(self) -> list[str]:
        """Write the table."""
        return [
            *super().finish(),
            f"{self.out / 'depth'}: depth in millimetres, PNGs of 16 bits",
            f"{self.out / 'pictures'}: each image next to its depth in colours",
        ]


class Reconstruction(Results):
    """What a pretraining predicts for the masked part: pictures, PSNR and SSIM."""

    def __init__(self, trained: Trained, out: Path, **options: Any) -> None:
        super().__init__(trained, out, **options)
        self.bands = picture_bands(trained.cfg)
        self.rows = [["image", "PSNR of the masked part (dB)", "SSIM of the masked part"]]

    @torch.no_grad()
    def predict(self, samples: Sequence[Any]) -> Sequence[Any]:
        """A reconstruction for each image."""
        model = self.trained.model
        data = model.data_preprocessor(default_collate(samples), False)
        shown = model(data["inputs"], data["data_samples"], mode="predict")
        scale = model.data_preprocessor
        whole = denormalised(shown, mean=scale.mean, std=scale.std)
        parts = (whole.images.cpu(), whole.reconstruction.cpu(), whole.mask.cpu())
        return [Prediction(*(part[n : n + 1] for part in parts)) for n in range(len(samples))]

    def add(self, item: Item, predicted: Any) -> str:
        """Write the picture and add a row."""
        psnr, ssim = predicted.psnr().item(), predicted.ssim().item()
        self.rows.append([str(item.given.path), psnr, ssim])
        path = self.out / "pictures" / f"{item.given.stem}.png"
        scale = max(1, -(-192 // predicted.images.shape[2]))
        save_png(predicted.grid(self.bands), path, scale=scale, titles=TITLES)
        return f"PSNR {psnr:.1f} dB, SSIM {ssim:.3f}"

    def finish(self) -> list[str]:
        """Write the table."""
        return [*super().finish(), f"{self.out / 'pictures'}: image, masked, prediction, pasted"]


RESULTS: dict[str, type[Results]] = {
    "classification": Classification,
    NEIGHBOURS: Neighbours,
    "detection": Detection,
    "segmentation": Segmentation,
    "depth": Depth,
    PRETRAINING: Reconstruction,
}


def _numbered(names: Sequence[str], count: int) -> list[str]:
    return [f"{name} {number}" for number in range(1, count + 1) for name in names]


def _flat(pairs: Sequence[tuple[str, float]]) -> list[Any]:
    return [value for pair in pairs for value in pair]
