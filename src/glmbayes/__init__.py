"""Exact iid posterior draws for Bayesian regression, and compiled blocks for your own Gibbs sampler."""
