"""Downstream tasks, one file each: data set, head, metric and hook of what is evaluated."""
