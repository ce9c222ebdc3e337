"""Which rows of an evaluated expression are missing; infinite values are refused by name."""

import numpy as np

from glmbayes.design.factor import Factor
from glmbayes.errors import FormulaError


def missing_rows(value, name, where="data"):
    """Boolean array of the rows with a missing value, or None when there are none.

    Raises
    ------
    FormulaError
        For infinite values.
    """
    if isinstance(value, Factor):
        missing = value.codes < 0
        return missing if missing.any() else None
    if value.dtype.kind == "b" or value.size == 0:
        return None
    low, high = value.min(), value.max()  # NaN anywhere makes both NaN
    if np.isfinite(low) and np.isfinite(high):
        return None
    infinite = np.isinf(value)
    if infinite.any():
        row = int(np.argwhere(infinite)[0][0])
        raise FormulaError(
            f"{name} is infinite in {int(infinite.sum())} row(s) of {where}, the first at position {row}: "
            "mark such values as missing, or transform them."
        )
    missing = np.isnan(value)
    return missing if missing.ndim == 1 else missing.any(axis=1)
