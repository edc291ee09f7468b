"""Decoders from features to the prediction target."""
