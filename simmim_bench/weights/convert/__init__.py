"""Checkpoints of other projects: their layouts, key maps and architectures."""
