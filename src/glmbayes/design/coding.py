"""From terms to columns: R's contrasts without redundancy, R's names, and the matrix filled in blocks of rows."""

import functools
from types import SimpleNamespace

import numpy as np

from glmbayes.design.factor import Factor, reduced_coding
from glmbayes.design.parts import Block, Term, Variable

_DOUBLES = 2**17  # a block of rows of X that stays in cache (1 MB)


def describe(expression, value):
    """The Variable behind an evaluated expression."""
    if isinstance(value, Factor):
        contrast, names = reduced_coding(value)
        kind = "boolean" if all(isinstance(level, (bool, np.bool_)) for level in value.levels) else "categorical"
        return Variable(expression.name, kind, (), value.labels, value.ordered, contrast, names)
    if value.ndim == 1:
        return Variable(expression.name, "numeric")
    k = value.shape[1]
    named = expression.call == "cbind" and len(expression.arguments) == k
    return Variable(expression.name, "numeric", expression.arguments if named else tuple(str(i + 1) for i in range(k)))


def assemble(terms, intercept, variables):
    """Blocks, terms and coefficient names.

    Parameters
    ----------
    terms : tuple of tuple of Expression
        In R's order.
    intercept : bool
    variables : dict
        Code -> Variable.
    """
    blocks, structure, names = [], [], []
    if intercept:
        blocks.append(Block((), (), slice(0, 1)))
        structure.append(Term("(Intercept)", (), slice(0, 1)))
        names.append("(Intercept)")
    keys = tuple(tuple(e.code for e in term) for term in terms)
    categorical = frozenset(code for code, v in variables.items() if v.kind != "numeric")
    for term, codings in zip(terms, _full_rank(keys, intercept, categorical), strict=True):
        first = len(names)
        for coding in codings:  # several when the margins of an interaction are not in the model
            parts = [(e.code, variables[e.code], coding.get(e.code)) for e in term]
            parts = [part for part in parts if part[1].kind == "numeric" or part[2] is not None]
            start = len(names)
            names += _names(parts)
            matrices = tuple(_matrix(variable, full) for _, variable, full in parts)
            blocks.append(Block(tuple(code for code, _, _ in parts), matrices, slice(start, len(names))))
        label = ":".join(e.name for e in term)
        structure.append(Term(label, tuple(e.name for e in term), slice(first, len(names))))
    return tuple(blocks), tuple(structure), tuple(names)


def _matrix(variable, full):
    if variable.kind == "numeric":
        return None
    return np.eye(len(variable.levels)) if full else variable.contrast


def _names(parts):
    names = [""]
    for _, variable, full in parts:
        if variable.kind == "numeric":
            suffixes = variable.suffixes
        else:
            suffixes = variable.levels if full else variable.contrast_names
        own = [variable.name + suffix for suffix in suffixes]
        names = [f"{left}:{right}" if left else right for right in own for left in names]
    return names


@functools.lru_cache(maxsize=256)
def _full_rank(terms, intercept, categorical):
    """patsy's redundancy analysis: for each term a list of {code: coded in full?}, one per set of columns."""
    if not any(code in categorical for term in terms for code in term):
        return [[{}] for _ in terms]
    from patsy.redundancy import pick_contrasts_for_term

    used = {}  # numeric part of a term -> what earlier terms with the same numeric part span
    out = []
    for term in ((), *terms) if intercept else terms:
        numeric = frozenset(code for code in term if code not in categorical)
        spanned = used.setdefault(numeric, set())
        codings = pick_contrasts_for_term(SimpleNamespace(factors=term), numeric, spanned)
        out.append(codings)
    return out[1:] if intercept else out


def fill(out, blocks, values, rows=None):
    """Write the design matrix into `out`, in blocks of rows that stay in cache.

    Parameters
    ----------
    out : (n, p) array
    blocks : sequence of Block
    values : dict
        Code -> float64 array or Factor.
    rows : integer array or None
        The rows of the values to use.
    """
    n = out.shape[0]
    step = max(256, _DOUBLES // max(out.shape[1], 1))
    arrays = {code: v.codes if isinstance(v, Factor) else v for code, v in values.items()}
    for start in range(0, n, step):
        stop = min(start + step, n)
        where = slice(start, stop) if rows is None else rows[start:stop]
        for block in blocks:
            if not block.keys:
                out[start:stop, block.columns] = 1.0
            elif len(block.keys) == 1 and block.codings[0] is None and arrays[block.keys[0]].ndim == 1:
                out[start:stop, block.columns.start] = arrays[block.keys[0]][where]
            else:
                out[start:stop, block.columns] = _product(block, arrays, where)


def _product(block, arrays, where):
    result = None
    for code, coding in zip(block.keys, block.codings):
        part = arrays[code][where]
        part = part.reshape(len(part), -1) if coding is None else coding[part]
        result = part if result is None else (part[:, :, None] * result[:, None, :]).reshape(len(part), -1)
    return result
