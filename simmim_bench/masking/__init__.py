"""Masking strategies, one a file, and the pipeline step that applies one."""
