"""MixedDesign: fixed design, random terms and grouping factors of a formula, on the same rows."""

from dataclasses import dataclass

import numpy as np

from glmbayes.design import build_design
from glmbayes.design.factor import Factor, level_label
from glmbayes.design.table import as_table
from glmbayes.errors import FormulaError
from glmbayes.mixed.formula import read_bars


@dataclass(frozen=True, eq=False)
class GroupFactor:
    """A grouping factor.

    Attributes
    ----------
    name : str
        "school", or "batch:cask" for combinations.
    columns : tuple of str
    codes : (n,) int array
        Level of each row.
    labels : tuple of str
    keys : dict
        Tuple of level labels, one per column -> code.
    """

    name: str
    columns: tuple
    codes: np.ndarray
    labels: tuple
    keys: dict

    @property
    def sizes(self):
        """(m,) rows of each level."""
        return np.bincount(self.codes, minlength=len(self.labels))

    def code_new(self, table):
        """Codes of new rows: -1 for a missing label, -2 - i for the i-th label that the fit has not seen.

        Returns codes (rows,) and the unseen labels.
        """
        columns = [_labels(table, name, "newdata") for name in self.columns]
        codes, unseen = np.empty(len(columns[0]), np.int64), {}
        for i, key in enumerate(zip(*columns)):
            if None in key:
                codes[i] = -1
            else:
                codes[i] = self.keys[key] if key in self.keys else -2 - unseen.setdefault(key, len(unseen))
        return codes, tuple(":".join(key) for key in unseen)


@dataclass(frozen=True, eq=False)
class RandomTerm:
    """One block of correlated group effects.

    Attributes
    ----------
    label : str
        Key of this term's prior and covariance: the factor's name, with ".1", ".2" where a factor has several terms.
    factor : GroupFactor
    names : tuple of str
        Of the effects: "(Intercept)", "hwh".
    Z : (n, q) array
    design : Design
        Rebuilds Z for new data.
    columns : tuple of int
        Columns of that design which belong to this term.
    """

    label: str
    factor: GroupFactor
    names: tuple
    Z: np.ndarray
    design: object
    columns: tuple

    @property
    def q(self):
        """Effects per group."""
        return len(self.names)

    @property
    def m(self):
        """Number of groups."""
        return len(self.factor.labels)


@dataclass(frozen=True, eq=False)
class MixedDesign:
    """A mixed-model formula applied to data.

    Attributes
    ----------
    formula : str
    fixed : Design
    terms : tuple of RandomTerm
    factors : dict
        Name -> GroupFactor.
    """

    formula: str
    fixed: object
    terms: tuple
    factors: dict

    @property
    def y(self):
        """(n,) response."""
        return self.fixed.y

    @property
    def n(self):
        """Number of rows."""
        return self.fixed.n

    @property
    def p(self):
        """Number of fixed effects."""
        return self.fixed.p


def build_mixed_design(formula, data, *, weights=None, offset=None, se=None, subset=None, na_action="drop", env=None):
    """Read the formula, drop rows with missing values anywhere, and build all designs on what is left."""
    if not isinstance(formula, str):
        raise FormulaError(f"formula must be a string such as 'y ~ x + (1 | g)'; got {type(formula).__name__}.")
    fixed_text, bars = read_bars(formula)
    group_columns = dict.fromkeys(name for bar in bars for name in bar.factor)
    extra = {f"group {name}": name for name in group_columns}
    if se is not None:
        extra["se"] = se
    response = fixed_text.partition("~")[0]
    options = {"weights": weights, "offset": offset, "extra": extra, "na_action": na_action, "env": env}
    for _ in range(len(bars) + 2):
        fixed = build_design(fixed_text, data, subset=subset, empty=True, **options)
        rows = np.arange(fixed.n_total) if fixed.rows is None else fixed.rows
        designs, kept = {}, rows
        for bar in bars:
            if bar.effects not in designs:
                design = build_design(f"{response} ~ {bar.effects}", data, subset=rows, na_action=na_action, env=env)
                designs[bar.effects] = design
                if design.n != rows.size:
                    kept = np.intersect1d(kept, design.rows)
        if kept.size == rows.size:
            break
        subset = kept  # a variable of the random effects is missing in more rows: all again without them
    factors = {}
    for bar in bars:
        if bar.group not in factors:
            factors[bar.group] = _group_factor(bar, fixed, formula)
    terms = []
    for bar in bars:
        design = designs[bar.effects]
        factor = factors[bar.group]
        if bar.uncorrelated:
            _refuse_factors(bar, design, formula)
        blocks = [(i,) for i in range(design.p)] if bar.uncorrelated else [tuple(range(design.p))]
        for columns in blocks:
            names = tuple(design.names[i] for i in columns)
            Z = np.ascontiguousarray(design.X[:, columns])
            terms.append(RandomTerm(bar.group, factor, names, Z, design, columns))
    return MixedDesign(formula, fixed, _labelled(_distinct(terms, formula)), factors)


def _group_factor(bar, fixed, formula):
    values = []
    for name in bar.factor:
        value = fixed.extra[f"group {name}"]
        if isinstance(value, Factor):
            labels = np.array([level_label(level) for level in value.levels], dtype=object)[value.codes]
        else:
            labels = np.array([level_label(v) for v in value], dtype=object)
        values.append(labels)
    keys, codes = {}, np.empty(fixed.n, np.int64)
    for i, key in enumerate(zip(*values)):
        codes[i] = keys.setdefault(key, len(keys))
    order = sorted(keys, key=lambda key: tuple(_natural(part) for part in key))
    rank = {key: i for i, key in enumerate(order)}
    codes = np.array([rank[key] for key in keys])[codes]
    if len(order) == 1:
        raise FormulaError(
            f"the grouping factor {bar.group} has a single level ({':'.join(order[0])}): its variance cannot be "
            f"estimated. Drop the term ({bar.effects} | {bar.group}) or use lmb."
        )
    return GroupFactor(bar.group, bar.factor, codes, tuple(":".join(key) for key in order), rank)


def _natural(label):
    """Numerals in numeric order, before words."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)


def _labels(table, name, argument):
    if name not in table:
        raise FormulaError(f"{argument} lacks the grouping column {name}.")
    value = table.column(name)
    if isinstance(value, Factor):
        return [None if c < 0 else level_label(value.levels[c]) for c in value.codes]
    return [None if v != v else level_label(v) for v in value]


def _refuse_factors(bar, design, formula):
    categorical = [v.name for v in design.variables.values() if getattr(v, "kind", None) == "categorical"]
    categorical = categorical or [name for name, c in design.columns.items() if c.kind == "categorical"]
    if categorical:
        raise FormulaError(
            f"({bar.effects} || {bar.group}): `||` separates numeric columns only, and {', '.join(categorical)} is a "
            f"factor. Write (1 | {bar.group}) + (0 + {categorical[0]} | {bar.group}), or give indicator columns."
        )


def _distinct(terms, formula):
    """Refuse the same effect of the same factor twice, and effects that are constant zero."""
    seen = {}
    for term in terms:
        for name, column in zip(term.names, term.Z.T):
            if (term.factor.name, name) in seen:
                raise FormulaError(f"{formula!r} has the effect {name} of {term.factor.name} twice.")
            seen[term.factor.name, name] = True
            if not column.any():
                raise FormulaError(f"the effect {name} of {term.factor.name} has a column of zeros.")
    return terms


def _labelled(terms):
    """Number the terms of a factor that has several."""
    names = [term.label for term in terms]
    count = {}
    out = []
    for term in terms:
        if names.count(term.label) == 1:
            out.append(term)
            continue
        count[term.label] = count.get(term.label, 0) + 1
        label = f"{term.label}.{count[term.label]}"
        out.append(RandomTerm(label, term.factor, term.names, term.Z, term.design, term.columns))
    return tuple(out)


def new_table(newdata):
    """New data as a table with a known number of rows."""
    table = as_table(newdata, "newdata")
    table.settle(())
    if table.n is None:
        raise FormulaError("newdata must be a data frame or a dict of columns; got None.")
    return table
