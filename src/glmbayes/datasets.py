"""The data sets that come with the library; data/README.md names the source of each."""

import difflib
from pathlib import Path

from glmbayes.errors import InputError

# columns of numerals that name groups: they are read as text, so that a formula makes factors of them
_LABELS = ("Rail", "Subject", "herd", "period", "school")


def _folder():
    """The packaged copy of an installed wheel, else the top-level data/ of a source tree."""
    here = Path(__file__).resolve().parent
    packaged = here / "data"
    return packaged if packaged.is_dir() else here.parents[1] / "data"


def names():
    """Return the names of the data sets, sorted.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from glmbayes import datasets
    >>> "eight_schools" in datasets.names()
    True
    """
    return sorted(path.stem for path in _folder().glob("*.csv"))


def load(name):
    """Read a data set into a new DataFrame.

    Parameters
    ----------
    name : str
        One of `names()`.

    Returns
    -------
    pandas.DataFrame
        Plain columns in the order of the file.  Columns that name groups (subjects, herds, schools) are text, also
        where the names are numerals.

    Raises
    ------
    InputError
        There is no such data set; the message lists similar names.

    Examples
    --------
    >>> from glmbayes import datasets
    >>> datasets.load("plant_weight").head(2)
      group  weight
    0   Ctl    4.17
    1   Ctl    5.58
    """
    known = names()
    if not isinstance(name, str) or name not in known:
        close = difflib.get_close_matches(str(name).lower(), known)
        advice = f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are: {', '.join(known)}."
        raise InputError(f"name must be one of glmbayes.datasets.names(); got {name!r}; {advice}")
    import pandas as pd

    return pd.read_csv(_folder() / f"{name}.csv", dtype=dict.fromkeys(_LABELS, str))
