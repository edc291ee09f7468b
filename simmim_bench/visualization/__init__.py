"""Pictures of runs: reconstructions and curves."""
