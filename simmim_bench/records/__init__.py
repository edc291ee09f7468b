"""Run manifests and validated records of results."""

SCRATCH = "scratch"  # method of a downstream run without pretraining
