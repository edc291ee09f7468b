"""Strategies of hypothesis: odd values, valid content with odd changes, valid bytes with damage."""

# ruff: noqa: C901, E501, RUF001

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]
DEEP = 3000  # brackets; Python's own limit is about 1000
TEXTS = [
    "", " ", "\0", "\n", "\t", "a\nb", "\ud800", "\u202eabc", "\ufeff", "é", "e\u0301", "ﬁ", "аpple",
    "../x", "/etc/passwd", "a/b", "..", ".", "~", "-", "--help", "=1", "nan", "inf", "1e999", "0x_",
    "010", "1:30", "2001-01-01", "null", "NaN", "x" * 5000, "%s%n", "{0}", "{backbone}", "{x}", "$x",
    "os.system", "__class__", "type", "[" * 50, "😀", "file:///etc/passwd", "C:\\x", "a" * 64, "0" * 64,
]  # fmt: skip
NUMBERS = [
    0, 1, -1, 2, 255, 256, 2**31, 2**32, 2**63, -(2**63), 2**64, 10**18, 10**400, -(10**400), 1000000000,
    0.0, -0.0, 0.5, 1.5, -1.5, 1e-320, 1e308, -1e308, 1e400, float("nan"), -1e400,
]  # fmt: skip
# as YAML reads them: numbers, dates, bytes, sets and broken ones
YAML_SCALARS = [
    "0x_", "0b_", "010", "1:30", "-1:30", "0o7", "1_000", "_1", "1e3", ".inf", ".nan", "~", "yes", "No",
    "2001-01-01", "2001-99-99", "2001-01-01 25:00:00", "2001-01-01T00:00:00Z", "!!binary =", "!!set {a}",
    "!!binary AAAA", "!!int x", "!!float x", "!!timestamp x", "!!bool x", "!!omap [a]", "!!pairs [a]",
    "!!python/object/apply:os.system [id]", "!x y", "*a", "&a [*a]", "&a {b: *a}", "<<", "{<<: 1}", "{<<: [1]}",
    "=", "'", '"', "|", ">", "%", "@", "`", "? [a]", "[[]", "{a: 1, a: 2}", "- -", "---", "...", "\t", "1" * 5000,
]  # fmt: skip


def leaves() -> st.SearchStrategy[Any]:
    """Values that a field may hold by mistake."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from(NUMBERS),
        st.sampled_from(TEXTS),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
    )


def values() -> st.SearchStrategy[Any]:
    """A leaf, or a small list or mapping of leaves."""
    some = st.one_of(leaves(), leaves(), leaves(), st.just([]), st.just({}))
    return st.recursive(
        some,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.one_of(st.sampled_from(TEXTS), st.text(max_size=5)), inner, max_size=3),
        ),
        max_leaves=4,
    )  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Path of every value in nested lists and mappings, the outermost first."""
    found = [path]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value if isinstance(value, list) else ())
    )
    for key, item in items:
        found += places(item, (*path, key))
    return found


@st.composite
def changed(draw: Draw, valid: Any, most: int = 3) -> Any:
    """``valid`` with a few values replaced, removed, repeated, renamed or of another type."""
    content = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, most))):
        known = places(content)
        path = draw(st.sampled_from(known))
        if not path:
            if draw(st.integers(0, 9)) == 0:
                content = draw(values())
            continue
        parent = content
        for step in path[:-1]:
            parent = parent[step]
        key, old = path[-1], parent[path[-1]]
        action = draw(
            st.sampled_from(["replace", "replace", "remove", "repeat", "rename", "retype", "other"])
        )
        if action == "replace":
            parent[key] = draw(values())
        elif action == "remove":
            del parent[key]
        elif action == "repeat" and isinstance(parent, list):
            parent += [copy.deepcopy(old)] * draw(st.integers(1, 3))
        elif action == "rename" and isinstance(parent, dict):
            parent[draw(st.one_of(st.sampled_from(TEXTS), st.text(max_size=5)))] = parent.pop(key)
        elif action == "retype":
            parent[key] = draw(st.sampled_from([str(old), [old], {"": old}, repr(old), not old]))
        elif action == "other":
            other = content
            for step in draw(st.sampled_from(known)):
                try:
                    other = other[step]
                except (KeyError, IndexError, TypeError):
                    break
            parent[key] = copy.deepcopy(other)
    return content


def as_json(value: Any) -> bytes:
    """JSON as other programs write it: NaN is allowed, and half of a surrogate pair."""
    return json.dumps(value, ensure_ascii=True, skipkeys=True).encode()


def as_yaml(value: Any) -> bytes:
    """YAML; what it cannot express is written as JSON, which is YAML too."""
    try:
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode(
            "utf-8", "surrogatepass"
        )
    except (yaml.YAMLError, ValueError):
        return as_json(value)


@st.composite
def damaged(draw: Draw, valid: bytes, most: int = 4) -> bytes:
    """``valid`` with flipped bits, other bytes, and parts removed, inserted or repeated."""
    content = bytearray(valid)
    for _ in range(draw(st.integers(1, most))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.sampled_from([1, 2, 4, 8, 64, 1000]))
        action = draw(
            st.sampled_from(["flip", "byte", "remove", "insert", "repeat", "cut", "zero", "move"])
        )
        if action == "flip" and content:
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif action == "byte" and content:
            content[place] = draw(st.integers(0, 255))
        elif action == "remove":
            del content[place : place + length]
        elif action == "insert":
            content[place:place] = draw(st.one_of(st.binary(max_size=8), st.sampled_from(PIECES)))
        elif action == "repeat":
            content[place:place] = content[place : place + length]
        elif action == "cut" and draw(st.integers(0, 2)) == 0:
            del content[place:]
        elif action == "zero":
            content[place : place + length] = bytes(len(content[place : place + length]))
        elif action == "move":
            there = draw(st.integers(0, max(0, len(content) - 1)))
            part = content[place : place + length]
            content[there : there + len(part)] = part
    return bytes(content)


PIECES = [
    b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\x80", b"\xed\xa0\x80", b"NaN", b"-Infinity", b"1" * 400, b"1" * 5000,
    b"1e999", b"[" * DEEP, b"{" * DEEP, b'{"a":' * DEEP, b"[" * DEEP + b"]" * DEEP, b",", b":", b'"', b"\\u0000", b"\\ud800",
    b"\t", b"\r", b"\n\n", b"- ", b"&a ", b"*a", b"\x1b[31m", b"PK\x03\x04", b"PK\x05\x06",
]  # fmt: skip


def texts(valid: Any, write: Callable[[Any], bytes] = as_json) -> st.SearchStrategy[bytes]:
    """Files with changed content, with damaged bytes, in other encodings, or with doubled keys."""
    plain = write(valid)
    spots = changed(valid).map(write)
    return st.one_of(
        spots,
        spots,
        damaged(plain),
        spots.flatmap(lambda content: damaged(content, 2)),
        st.sampled_from(
            [
                b"", b"\0", b"null", b"[]", b"{}", b'""', b"1", b"[" * DEEP, b"{" * DEEP, b"\xff" * 9,
                b"\xef\xbb\xbf" + plain, plain.decode().encode("utf-16"), plain.decode().encode("utf-32"),
                plain * 2, plain[: len(plain) // 2], b" " * 10**6, b"[" * DEEP + plain + b"]" * DEEP,
            ]
        ),
        doubled(plain),
    )  # fmt: skip


@st.composite
def doubled(draw: Draw, plain: bytes) -> bytes:
    """A JSON object with one of its keys given twice, or a line of a YAML file repeated."""
    lines = plain.split(b"\n")
    if len(lines) > 2:
        place = draw(st.integers(0, len(lines) - 1))
        return b"\n".join([*lines[: place + 1], *lines[place:]])
    key = draw(st.sampled_from(sorted(json.loads(plain)) or ["a"]))
    extra = json.dumps(key).encode() + b":" + as_json(draw(values())) + b","
    return plain.replace(b"{", b"{" + extra, 1)


@st.composite
def odd_yaml(draw: Draw, valid: bytes) -> bytes:
    """A YAML file with some scalars replaced by text that YAML reads in its own way."""
    lines = valid.decode().split("\n")
    spots = [n for n, line in enumerate(lines) if line.strip()]
    for number in draw(st.lists(st.sampled_from(spots), min_size=1, max_size=3)):
        before, mark, _ = lines[number].partition(":")
        lines[number] = f"{before}{mark} {draw(st.sampled_from(YAML_SCALARS))}"
    return "\n".join(lines).encode()
