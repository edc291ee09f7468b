"""What surrounds a run: configs, data check, runner, hooks, launch, try-out."""
