"""Weights on disk: safe reading, strict loading, export, conversion, identity of runs."""
