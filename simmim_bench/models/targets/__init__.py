"""Prediction targets."""
