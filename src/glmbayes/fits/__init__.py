"""The fitted model: one frozen record, and one module for each thing that can be asked of it."""
