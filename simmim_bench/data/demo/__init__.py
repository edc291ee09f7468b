"""Embedded demo data: real handwriting on real photographs, built on the spot.

Photographs ship inside scikit-image and scikit-learn, digits inside scikit-learn; training and
validation share neither. Imports neither torch nor mmengine.
"""
