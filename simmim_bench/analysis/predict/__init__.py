"""Predict with a finished training on any images, without labels and training data."""
