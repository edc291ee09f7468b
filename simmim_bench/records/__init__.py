"""Run manifests and validated records of results."""
