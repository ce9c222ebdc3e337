"""Compiled building blocks: numba functions on arrays that trust their input."""
