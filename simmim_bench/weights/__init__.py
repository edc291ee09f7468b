"""Checkpoints: key maps as data, conversion, resizing, export, safe reading."""
