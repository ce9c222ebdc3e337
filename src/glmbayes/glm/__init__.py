"""Posteriors of generalised linear models with a normal prior: set-up, envelopes, exact draws, evidence."""
