"""Suites: many stages from one file, run by Snakemake; imports no torch."""
