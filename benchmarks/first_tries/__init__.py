"""What new users bring, data and weights of any origin, and what becomes of each at the first try.

``python -m benchmarks.first_tries`` makes the data and weights, runs for each the commands that
docs/own-data.md and docs/own-weights.md give, and prints a table: task, commands, result.
"""
