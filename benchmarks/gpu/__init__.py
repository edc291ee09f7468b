"""One script for one GPU: ``python -m benchmarks.gpu FOLDER``; see ``__main__``."""
