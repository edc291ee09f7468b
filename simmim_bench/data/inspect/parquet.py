"""Images in Parquet or Arrow files, as Hugging Face ``datasets`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simmim_bench.data.bands import read_band_header
from simmim_bench.data.image_files import Listing
from simmim_bench.data.inspect.found import Found, Split, name_of, split_in, split_of, stem_of
from simmim_bench.data.inspect.tables import LABEL_COLUMNS
from simmim_bench.data.pixels import UnreadableImageError
from simmim_bench.errors import BenchError
from simmim_bench.io import kind_of, parse_json

SUFFIXES = (".parquet", ".arrow")
_BATCH = 64  # rows with images in memory
_MANY = 65_536  # rows without images
_ARROW_FILE = b"ARROW1"  # else a stream


def pyarrow_package() -> Any:
    """The module ``pyarrow``.

    Raises:
        BenchError: If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise BenchError(
            "the package pyarrow is not installed; run `pip install 'simmim_bench[parquet]'`, or "
            "save the images as files"
        ) from error
    return pyarrow


def find_parquet(listing: Listing) -> Found | None:
    """Parquet or Arrow files with a column of images."""
    files = [name for name in sorted(listing.skipped) if name.lower().endswith(SUFFIXES)]
    files = [name for name in files if not name_of(name).startswith((".", "cache-"))]
    if not files:
        return None
    schema, first = _opened(Path(listing.folder, files[0]))
    image = _image_column(schema, first)
    if image is None:
        raise BenchError(
            f"{Path(listing.folder, files[0])} has no column of images (found: "
            f"{', '.join(schema.names)[:200]}); expected encoded images, or a struct of bytes and "
            "path"
        )
    label = _label_column(schema, image)
    groups: dict[str, list[Path]] = {}
    for name in files:
        split = split_of(stem_of(name).split("-")[0]) or split_in(name)
        groups.setdefault(split, []).append(Path(listing.folder, name))
    notes = []
    if left := [name for name in schema.names if name not in (image, label)]:
        notes.append(f"the columns {', '.join(left)[:200]} are not used")
    place = files[0] if len(files) == 1 else f"{files[0]}, the first of {len(files)} files,"
    return Found(
        "parquet",
        listing.folder,
        f"column {image!r} of {place} holds images",
        tuple(Split(split, tuple(paths)) for split, paths in groups.items()),
        classes=_class_names(schema, label),
        columns=(image, label),
        notes=tuple(notes),
    )


def count_rows(path: Path) -> int:
    """Number of rows of a file."""
    with _reading(path) as opened:
        if path.suffix.lower() == ".parquet":
            return int(opened.metadata.num_rows)
        return sum(batch.num_rows for batch in _arrow_batches(opened))


def read_rows(path: Path, found: Found) -> Iterator[tuple[bytes, str | None]]:
    """Image, encoded, and name of the class of each row; None if it has none.

    Args:
        path: One of the files of ``found``.
        found: From ``find_parquet``.

    Raises:
        BenchError: If a row has no image, or a label that is no class.
    """
    image, label = found.columns or ("", "")
    row = 0
    with _reading(path) as opened:
        for batch in _batches(opened, _BATCH, [image, label] if label else [image]):
            labels = batch.column(label).to_pylist() if label else [None] * batch.num_rows
            for given, each in zip(batch.column(image), labels, strict=True):
                row += 1
                content = given.as_py()
                content = content.get("bytes") if isinstance(content, dict) else content
                if not content:
                    raise BenchError(f"row {row} of {path} has no image in {image!r}; remove it")
                yield content, _class_of(each, found.classes, f"row {row} of {path}")


def read_labels(path: Path, found: Found) -> Iterator[str]:
    """Name of the class of each row that has one; images are not read.

    Raises:
        BenchError: If a label is no class.
    """
    label = (found.columns or ("", ""))[1]
    row = 0
    with _reading(path) as opened:
        for batch in _batches(opened, _MANY, [label]):
            for each in batch.column(label).to_pylist():
                row += 1
                name = _class_of(each, found.classes, f"row {row} of {path}")
                if name is not None:
                    yield name


def _class_of(label: Any, classes: tuple[str, ...], where: str) -> str | None:
    if label is None or label == -1:  # of datasets: no label
        return None
    if not classes or isinstance(label, str):
        return str(label)
    if not (isinstance(label, int) and 0 <= label < len(classes)):
        raise BenchError(f"{where} has the label {label}, expected 0 to {len(classes) - 1}")
    return classes[label]


def _opened(path: Path) -> tuple[Any, Any]:
    """Schema of a file, and its first rows as a table (None if it has none)."""
    pyarrow = pyarrow_package()
    with _reading(path) as opened:
        if path.suffix.lower() == ".parquet":
            batches = opened.iter_batches(1)
            schema = opened.schema_arrow
        else:
            batches, schema = _arrow_batches(opened), opened.schema
        first = next(iter(batches), None)
        return schema, None if first is None else pyarrow.Table.from_batches([first])


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """A Parquet file, or the reader of an Arrow file or stream."""
    pyarrow = pyarrow_package()
    if not path.is_file():
        raise BenchError(f"{path} is {kind_of(path)}, expected a file; remove it")
    try:
        if path.suffix.lower() == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as opened:
                yield opened
        else:
            with pyarrow.memory_map(str(path)) as stream:
                is_file = stream.read(len(_ARROW_FILE)) == _ARROW_FILE
                stream.seek(0)
                ipc = pyarrow.ipc
                yield ipc.open_file(stream) if is_file else ipc.open_stream(stream)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        text = " ".join(str(error).split())[:200]
        raise BenchError(f"{path} cannot be read ({text}); restore the file") from error


def _batches(opened: Any, rows: int, columns: list[str]) -> Iterator[Any]:
    if hasattr(opened, "iter_batches"):
        return iter(opened.iter_batches(rows, columns=columns))
    return _arrow_batches(opened)


def _arrow_batches(opened: Any) -> Iterator[Any]:
    if hasattr(opened, "num_record_batches"):
        return (opened.get_batch(i) for i in range(opened.num_record_batches))
    return iter(opened)


def _image_column(schema: Any, first: Any) -> str | None:
    """Column that holds images: a struct with ``bytes``, or bytes of an image."""
    for name in schema.names:
        kind = schema.field(name).type
        if str(kind).startswith("struct<") and kind.get_field_index("bytes") >= 0:
            return str(name)
        if str(kind) in ("binary", "large_binary") and first is not None and first.num_rows:
            try:
                read_band_header(first.column(name)[0].as_py() or b"")
            except UnreadableImageError:
                continue
            return str(name)
    return None


def _label_column(schema: Any, image: str) -> str:
    """Column with the class: by its name, else the only one of integers or text."""
    kinds = {name: str(schema.field(name).type) for name in schema.names if name != image}
    scalars = [name for name, kind in kinds.items() if "int" in kind or kind.endswith("string")]
    scalars = [name for name in scalars if "<" not in kinds[name]]
    for name in LABEL_COLUMNS:
        if name in scalars:
            return name
    return scalars[0] if len(scalars) == 1 else ""


def _class_names(schema: Any, label: str) -> tuple[str, ...]:
    """Names in the metadata that ``datasets`` writes into the schema."""
    try:
        content = parse_json((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = content["info"]["features"][label]["names"]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(map(str, names)) if isinstance(names, list) else ()
