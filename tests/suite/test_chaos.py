"""After random kills, the records are those of an undisturbed run."""

import json

from benchmarks.chaos import command, records_of, report, run_disturbed, run_whole, starts


def test_random_kills_change_no_record(project):
    for name in ("simmim_net", "cls_net", "det_net"):
        project.config(name, "steps = 5\nseconds = 0.1\n")
    more = ["--cores", "2"]
    whole = project.root / "whole"
    seconds = run_whole(command(project.suite, whole, more), project.root)
    outcome = run_disturbed(
        project.suite,
        project.root / "chaos",
        root=project.root,
        kills=3,
        pause=(0.1, 2.0),
        seed=1,
        more=more,
    )
    assert sum(outcome.kills.values()) == 3
    table, equal = report(whole, seconds, outcome)
    assert equal, table
    assert len(records_of(whole)) == 4
    assert set(starts(whole).values()) == {1}


def test_a_record_that_differs_is_noticed(tmp_path):
    for name, weights in (("whole", "1 a"), ("other", "1 b")):
        records = tmp_path / name / "results" / "records"
        records.mkdir(parents=True)
        content = {"weights": weights, "cost": {"wall_seconds": len(weights) + ord(weights[-1])}}
        (records / "x.json").write_text(json.dumps(content), "utf-8")
    assert records_of(tmp_path / "whole") == [{"weights": "1 a"}]
    assert records_of(tmp_path / "whole") != records_of(tmp_path / "other")
