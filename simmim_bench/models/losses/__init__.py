"""Losses of masked image modelling."""
