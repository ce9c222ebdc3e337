"""Reading lme4's random terms: `(1 | g)`, `(1 + x | g)`, `(x || g)`, `(0 + x | g)`, `(1 | a/b)`."""

import re
from dataclasses import dataclass

from glmbayes.design.source import pointed

_OPEN, _CLOSE = "([{", ")]}"
_NAME = r"[^\W\d][\w.]*"


@dataclass(frozen=True)
class Bar:
    """One random term: the effects' formula, the grouping factor as column names, and where it stands in the text.

    Attributes
    ----------
    effects : str
        Right side of a formula, "1 + x".
    factor : tuple of str
        Columns whose combinations are the groups.
    uncorrelated : bool
        It came from `||`: one term of its own for each column.
    start, end : int
    """

    effects: str
    factor: tuple
    uncorrelated: bool
    start: int
    end: int

    @property
    def group(self):
        """Name of the grouping factor, "a:b" for combinations."""
        return ":".join(self.factor)


def read_bars(text):
    """The formula without its random terms, and those terms.

    Raises
    ------
    FormulaError
        No random term, or a piece that is not supported; carets show which.
    """
    text = re.sub(r"\s", " ", text)
    tilde = text.find("~")
    spans = _spans(text)
    if tilde < 0:
        raise pointed("A formula needs `~` between the response and the terms.", text)
    if not spans:
        raise pointed(
            "The formula has no random term such as (1 | group). Without groups use lmb.",
            text,
        )
    bars = []
    for start, end in spans:
        bars += _read(text, start, end)
    fixed = _without(text, spans)
    return fixed, tuple(bars)


def _spans(text):
    """Positions of the outermost parentheses that hold a bare `|`; other bars at the top are refused."""
    spans, stack = [], []
    for at, character in enumerate(text):
        if character in _OPEN:
            stack.append((at, []))
        elif character in _CLOSE and stack:
            start, bars = stack.pop()
            function = start > 0 and re.search(r"[\w`.\])]\s*$", text[:start])
            if bars and text[start] == "(" and not function:
                if stack:
                    raise pointed(
                        "A random term must stand at the top of the formula, added with `+`.", text, start, at + 1
                    )
                spans.append((start, at + 1))
        elif character == "|" and stack:
            stack[-1][1].append(at)
        elif character == "|":
            raise pointed("Put the random term in parentheses: (1 | group).", text, at)
    for start, end in spans:
        before = text[:start].rstrip()
        after = text[end:].lstrip()
        if before[-1:] not in ("~", "+") or (after and after[0] not in "+-"):
            raise pointed("Random terms are added with `+`; nothing else can be done with them.", text, start, end)
    return spans


def _read(text, start, end):
    inner = text[start + 1 : end - 1]
    match = re.fullmatch(r"([^|]*?)(\|\|?)([^|]*)", inner)
    if match is None:
        raise pointed("A random term has one bar, (effects | group), or a double one.", text, start, end)
    effects, bar, groups = match.group(1).strip(), match.group(2), match.group(3).strip()
    if not effects:
        raise pointed("The effects are missing: write 1 for an intercept, (1 | group).", text, start, end)
    if not groups:
        raise pointed("The grouping factor is missing after the bar.", text, start, end)
    if "~" in effects:
        raise pointed("`~` cannot stand inside a random term.", text, start, end)
    at = start + 1 + inner.index(groups, match.start(3))
    factors = _factors(text, groups, at)
    return [Bar(effects, factor, bar == "||", start, end) for factor in factors]


def _factors(text, groups, at):
    """Grouping factors: g, a:b, a/b (a and a:b), a/b/c."""
    plain = groups.replace("`", "")
    if not re.fullmatch(rf"{_NAME}(\s*[:/]\s*{_NAME})*", plain):
        raise pointed(
            "A grouping factor is a column, or columns joined by `:` or `/`; make other groupings a column of the data "
            "first.",
            text,
            at,
            at + len(groups),
        )
    parts = [tuple(name.strip() for name in part.split(":")) for part in plain.split("/")]
    return [tuple(dict.fromkeys(sum(parts[: i + 1], ()))) for i in range(len(parts))]


def _without(text, spans):
    """The fixed part: random terms and the `+` that added them taken out; "~ 1" when nothing is left."""
    pieces, last = [], 0
    for start, end in spans:
        pieces.append(text[last:start])
        last = end
    pieces.append(text[last:])
    fixed = pieces[0]
    for piece in pieces[1:]:
        left = fixed.rstrip()
        if left.endswith("+"):
            fixed = left[:-1].rstrip() + " " + piece.lstrip()
        else:  # right after the tilde: a following plus goes
            rest = piece.lstrip()
            fixed = left + " " + (rest[1:].lstrip() if rest.startswith("+") else rest)
    response, _, terms = fixed.partition("~")
    terms = terms.strip()
    if not terms:
        terms = "1"
    elif terms.startswith("-"):
        terms = "1 " + terms if not re.fullmatch(r"-\s*1", terms) else "0"
    return f"{response.strip()} ~ {terms}"
