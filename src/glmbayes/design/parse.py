"""A formula string as a response, terms in R's order, an intercept and offsets.  patsy is the parser."""

import functools
import sys
from dataclasses import dataclass

from glmbayes.design.expression import Expression, read_expression
from glmbayes.design.functions import FUNCTION_NAMES
from glmbayes.design.source import Source, pointed, read_source
from glmbayes.errors import FormulaError


@dataclass(frozen=True)
class Formula:
    """What a formula says, before any data are seen.

    Attributes
    ----------
    text : str
    response : Expression
    terms : tuple of tuple of Expression
        Each term is the product of its expressions; by order of interaction, then as written.
    intercept : bool
    offsets : tuple of Expression
        The arguments of `offset(...)`.
    """

    text: str
    response: Expression
    terms: tuple
    intercept: bool
    offsets: tuple

    @property
    def factors(self):
        """The distinct expressions of the terms, in order."""
        return tuple(dict.fromkeys(expression for term in self.terms for expression in term))


def parse(formula, columns=(), reserved=()):
    """Parse `formula`; `columns` are the names of the data, `.` is all of them without `reserved`.

    Raises
    ------
    FormulaError
        Pointing at the character that cannot be read.
    """
    return _parse(formula, *((columns, reserved) if "." in formula else ((), ())))


def parse_expression(text, columns=()):
    """One expression outside a formula, for instance `weights="1 / se^2"`."""
    return _parse_expression(text, columns if "." in text else ())


@functools.lru_cache(maxsize=256)
def _parse_expression(text, columns):
    if not text.strip():
        raise FormulaError("an empty string names no column.")
    source = read_source(text, columns, (), FUNCTION_NAMES, formula=False)
    return read_expression(source, 0, len(source.code))


@functools.lru_cache(maxsize=256)
def _parse(formula, columns, reserved):
    source = read_source(formula, columns, reserved, FUNCTION_NAMES)
    if source.tilde < 0:
        raise pointed("The formula has no response: write 'response ~ terms'.", source.text)
    if not source.code[: source.tilde].strip():
        at = source.origin[source.tilde]
        raise pointed("The response is missing from the formula: name it left of `~`.", source.text, at, at + 1)
    response = read_expression(source, 0, source.tilde)
    terms, intercept = _patsy_terms(source)
    first_seen = {}
    for expression, at in (factor for term in terms for factor in term):
        first_seen[expression] = min(at, first_seen.get(expression, at))
    offsets, ordered = [], []
    for term in terms:
        expressions = sorted((f[0] for f in term), key=first_seen.__getitem__)
        if any(e.call == "offset" for e in expressions):
            if len(expressions) > 1:
                raise next(e for e in expressions if e.call == "offset").error("offset() cannot interact with a term.")
            offsets.append(expressions[0])
        else:
            ordered.append(tuple(expressions))
        for expression in expressions:
            if expression == response:
                raise expression.error(f"The response {response.name} is among the terms.")
    ordered.sort(key=len)
    return Formula(source.text, response, tuple(ordered), intercept, tuple(offsets))


def _patsy_terms(source: Source):
    """Terms as lists of (Expression, position), and whether there is an intercept."""
    from patsy import ModelDesc, PatsyError

    limit = sys.getrecursionlimit()
    right = "0".ljust(source.tilde) + source.code[source.tilde :]  # same positions, no response
    try:
        sys.setrecursionlimit(limit + 4 * right.count("+"))  # patsy descends twice for each term of a sum
        description = ModelDesc.from_formula(right)
    except PatsyError as error:
        reason = "a term is missing here" if error.message.startswith("expected a noun") else error.message
        message = f"The formula has a syntax error ({reason})."
        if error.origin is None:
            raise pointed(message, source.text) from None
        origin = getattr(error.origin, "origin", error.origin)  # a token or parse node carries its origin
        raise source.error(message, origin.start, origin.end) from None
    finally:
        sys.setrecursionlimit(limit)
    terms = []
    for term in description.rhs_termlist:
        if term.factors:
            spans = [(f.origin.start, f.origin.end) for f in term.factors]
            terms.append([(read_expression(source, *span), span[0]) for span in spans])
    return terms, any(not term.factors for term in description.rhs_termlist)
