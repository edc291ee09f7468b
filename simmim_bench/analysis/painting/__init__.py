"""Inpainting and super-resolution with pretrained models."""
