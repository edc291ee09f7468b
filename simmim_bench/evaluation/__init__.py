"""From a checkpoint to a table: recipes for its backbone, a suite, and the suite's results."""
