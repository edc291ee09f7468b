"""Pretraining models as painters: inpainting and super-resolution by masking."""
