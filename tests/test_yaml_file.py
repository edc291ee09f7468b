"""YAML of strangers: what its readers disagree about is refused with a sentence."""

import time

import pytest

from simmim_bench.yaml_file import DEEPEST, NotYamlError, read_yaml

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdef", "bcdefg", strict=True)
)
REFUSED = {
    "x: 010": "versions of YAML disagree whether '010' is a number",
    "x: 1:30": "versions of YAML disagree whether '1:30' is a number",
    "x: 0x_": "'0x_' is a number",
    "x: 0b_": "'0b_' is a number",
    "x: 1_000": "'1_000' is a number",
    f"x: {10**400}": "has more than 64 bits",
    f"x: {'1' * 5000}": "has more than 64 bits",
    "x: !!int y": "'y' is not of the type !!int",
    "x: !!bool y": "'y' is not of the type !!bool",
    "x: !!binary AAAA": "the tag !!binary is not supported",
    "x: !!python/object/apply:os.system [id]": "is not supported",
    "x: &a [*a]": "an alias stands for a value that contains it",
    BOMB: "stands for more than 100000 values",
    "[" * 3000: f"nested in more than {DEEPEST} levels",
    "{a: " * 3000: f"nested in more than {DEEPEST} levels",
    "x: 1\nx: 2": "the key 'x' is given twice",
    "? [a]\n: 1": "a key is a list or a mapping",
    "x: {y: 1\n": "line ",
    "\tx: 1": "line 1, column 1",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_odd_yaml_is_refused_with_a_sentence_in_a_moment(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")
    begin = time.monotonic()
    with pytest.raises(NotYamlError) as caught:
        read_yaml(path)
    assert REFUSED[text] in str(caught.value)
    assert time.monotonic() - begin < 5


def test_text_of_another_encoding(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"x: \xff")
    with pytest.raises(NotYamlError, match="byte 3 is not UTF-8 text"):
        read_yaml(tmp_path / "x.yaml")


def test_ordinary_values_are_read_and_dates_are_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(
        b"\xef\xbb\xbfa: [1, -2, 0x10, 1.5, 1.0e-3, .inf, true, null, 2001-01-01, '010', 1e3]\n"
        b"b: &b {c: 1}\nd: {<<: *b}\n"
    )
    assert read_yaml(tmp_path / "x.yaml") == {
        "a": [1, -2, 16, 1.5, 0.001, float("inf"), True, None, "2001-01-01", "010", "1e3"],
        "b": {"c": 1},
        "d": {"c": 1},
    }
