"""Works of the benchmark, one module a family, and what measures them."""
