"""How a record says that values were tuned."""

import pytest
from pydantic import ValidationError

from simmim_bench.records.collect import collect
from simmim_bench.records.manifest import Manifest
from simmim_bench.records.store import read_records
from simmim_bench.records.tuning import Tuning

LR = "optim_wrapper.optimizer.lr"


def test_the_first_of_equal_scores_is_chosen_and_one_that_diverged_never(toy):
    Tuning.model_validate(toy.tuning((60.0, 60.0, 50.0), chosen={LR: 1e-3}))
    with pytest.raises(ValidationError, match="not the trial of the best score"):
        Tuning.model_validate(toy.tuning((60.0, 60.0, 50.0), chosen={LR: 5e-4}))
    Tuning.model_validate(toy.tuning((None, 0.0, 0.5), chosen={LR: 2.5e-4}))
    with pytest.raises(ValidationError, match="no trial has a score"):
        Tuning.model_validate(
            {**toy.tuning(), "trials": toy.tuning((None, 1.0, None))["trials"][::2]}
        )


def test_a_trial_outside_the_search_is_refused(toy):
    with pytest.raises(ValidationError, match="is not in the search"):
        Tuning.model_validate(toy.tuning(search={LR: [1e-3, 5e-4]}))


def test_what_was_chosen_does_not_count_for_a_comparison_and_the_search_does(toy):
    one, other = (Tuning.model_validate(toy.tuning(scores)) for scores in ((1, 2, 3), (3, 2, 1)))
    assert one.chosen != other.chosen
    assert one.key() == other.key()
    held_out = {"share": 0.1, "seed": 0, "images": 10, "training_images": 90}
    less = toy.tuning(search={LR: [1e-3, 5e-4, 2.5e-4, 1e-4]})
    for changes in (toy.tuning(held_out=held_out), less, toy.tuning(metric="top1")):
        assert Tuning.model_validate(changes).key() != one.key()


def test_keys_are_shown_by_their_last_part_unless_two_share_it(toy):
    tuning = Tuning.model_validate(toy.tuning())
    assert tuning.explained().startswith("lr of 0.001, 0.0005, 0.00025; scored on 20 % of the tr")
    both = {"a.lr": [1.0], "b.lr": [2.0]}
    values = {"a.lr": 1.0, "b.lr": 2.0}
    trials = [{**toy.tuning()["trials"][0], "values": values}]
    other = Tuning.model_validate(toy.tuning(search=both, trials=trials, chosen=values))
    assert other.explained().startswith("a.lr of 1.0; b.lr of 2.0; scored")


def test_a_choice_at_an_end_of_its_numbers_is_told(toy):
    at_the_end = [
        Tuning.model_validate(toy.tuning(scores, chosen={LR: best})).at_the_end()
        for scores, best in (((1, 2, 3), 2.5e-4), ((1, 3, 2), 5e-4), ((3, 2, 1), 1e-3))
    ]
    assert at_the_end == [
        [f"{LR}=0.00025 is the smallest value tried, and a smaller one may be better"],
        [],
        [f"{LR}=0.001 is the largest value tried, and a larger one may be better"],
    ]
    few = toy.tuning((1, 2, 0), search={LR: [1e-3, 5e-4]}, chosen={LR: 5e-4})
    few["trials"] = few["trials"][:2]
    assert Tuning.model_validate(few).at_the_end() == []


def test_a_record_names_what_was_tuned_among_its_deviations(make_record, toy):
    record = make_record(**toy.tuned())
    assert record.deviations == [f"tuned: {LR}=0.0005"]
    assert record.untuned_deviations == []
    assert record.recipe_sha256 == toy.sha("recipe")
    with pytest.raises(ValidationError, match=f"deviations lack tuned: {LR}=0.0005"):
        make_record(**toy.tuned(deviations=[]))


def test_a_tuned_run_of_the_same_config_is_another_run(make_record, toy):
    config = {"path": "configs/toy.py", "sha256": toy.sha("config"), "overrides": []}
    assert make_record(**toy.tuned(config=config)).run_id != make_record().run_id


def test_trials_make_no_records_and_final_runs_keep_their_tuning(tmp_path, toy):
    held_out = {"share": 0.2, "seed": 0, "images": 20, "training_images": 80}
    trial = toy.manifest_fields(stage="trial", held_out=held_out)
    final = toy.manifest_fields(**toy.tuned())
    for name, fields in (("tune/a", trial), ("finetune/a", final)):
        Manifest.model_validate(fields).write(tmp_path / name / "manifest.json")
    collect(tmp_path, tmp_path / "records")
    (record,) = read_records(tmp_path / "records")
    assert record.tuning.as_json() == toy.tuning()


def test_a_trial_needs_its_held_out_part_and_tunes_nothing_itself(toy):
    with pytest.raises(ValidationError, match="held_out is missing"):
        Manifest.model_validate(toy.manifest_fields(stage="trial"))
    held_out = {"share": 0.2, "seed": 0, "images": 20, "training_images": 80}
    fields = toy.manifest_fields(stage="trial", held_out=held_out, **toy.tuned())
    with pytest.raises(ValidationError, match="tuning is given"):
        Manifest.model_validate(fields)
