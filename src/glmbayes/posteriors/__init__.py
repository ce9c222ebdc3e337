"""Posteriors of Gaussian regressions: what a prior builds from the data, and draws come from."""
