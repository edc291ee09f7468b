"""A package, so that a process spawned by a test finds tests.* here and nowhere else."""
