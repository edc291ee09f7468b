"""Masking strategies, one file each, and the pipeline step that applies one."""
