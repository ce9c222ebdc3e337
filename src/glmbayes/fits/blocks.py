"""Draws x observations in pieces: nothing of size n_draws x n is ever held unless asked for."""

CELLS = 2_000_000  # entries of a piece (16 MB)


def observation_blocks(n, n_draws):
    """Slices of 0..n such that a slice times the draws stays within a fixed number of entries."""
    step = max(1, CELLS // max(n_draws, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def linear_predictor(coefficients, x, offset, rows):
    """eta (draws, rows) of the observations in the slice `rows`."""
    eta = coefficients @ x[rows].T
    return eta if offset is None else eta + offset[rows]
