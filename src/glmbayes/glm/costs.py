"""What operations cost, in nanoseconds on one core: the one table behind every prediction of time.

Measured on a 2.8 GHz server core; only ratios matter for choosing.
"""

MULTIPLY = 0.055  # a multiplication within a matrix product
ROW_TERM = 4.0  # one log-likelihood term of one row and candidate
SINGLE_MULTIPLY, SINGLE_TERM = 0.02, 0.6  # both in single precision
CANDIDATE = 150.0  # table look-up, radius, acceptance variate
NORMAL = 7.0  # one standard normal and its share of the direction
ROW_CHECK = 200.0  # one random row from memory
BATCH = 60_000.0  # overhead of any batch

PATIENCE = 600.0  # seconds for the requested draws beyond which a call refuses to start


def cubic(p):
    """The third-order form at one candidate."""
    return MULTIPLY * p * p * (p + 1) / 2 + p * p


def candidate(p):
    """One candidate with its direction."""
    return CANDIDATE + NORMAL * p


def evaluation(n, p, single=False):
    """The log density ratio at one candidate: exact, or in single precision."""
    return n * (SINGLE_MULTIPLY * p + SINGLE_TERM if single else MULTIPLY * p + ROW_TERM)
