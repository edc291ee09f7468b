"""``simmim-bench doctor``: what this installation has, what is wrong with it, and the remedies."""
