"""What arguments take."""

import argparse

import pytest

from simmim_bench import cli


@pytest.mark.parametrize(("kind", "text"), [(cli.seed, "0"), (cli.seed, "4294967295")])
def test_a_seed_is_what_every_library_takes(kind, text):
    assert kind(text) == int(text)
    assert cli.positive("1") == 1


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (cli.seed, "-1", "0 to 4294967295"),
        (cli.seed, "4294967296", "0 to 4294967295"),
        (cli.seed, "1.5", "0 to 4294967295"),
        (cli.positive, "0", "1 or more"),
        (cli.positive, "x", "1 or more"),
    ],
)
def test_others_are_refused_with_what_is_expected(kind, text, expected):
    with pytest.raises(
        argparse.ArgumentTypeError, match=f"'{text}' is no whole number of {expected}"
    ):
        kind(text)


def test_a_run_has_such_a_seed(capsys):
    parser = argparse.ArgumentParser(parents=[cli.run_arguments()])
    assert parser.parse_args(["--seed", "7"]).seed == 7
    with pytest.raises(SystemExit) as refused:
        parser.parse_args(["--seed", "-1"])
    assert refused.value.code == 2
    assert "argument --seed: '-1' is no whole number" in capsys.readouterr().err
