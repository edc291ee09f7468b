"""Demo data: handwritten digits on photographs, built from installed packages.

Photographs are part of scikit-image and scikit-learn, digits of scikit-learn. Training and
validation share neither. Imports neither torch nor mmengine.
"""
