"""Backbones that compute the visible patches alone."""
