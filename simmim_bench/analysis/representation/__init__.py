"""Attention distance, layers, CKA and Grad-CAM of trained backbones, on one page."""
