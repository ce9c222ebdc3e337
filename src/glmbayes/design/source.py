"""A formula as typed, its spelling in Python, and the way back from one to the other for error messages."""

import re
from dataclasses import dataclass

from glmbayes.errors import FormulaError

_TOKEN = re.compile(
    r"""(?P<string>'[^']*'|"[^"]*")|(?P<tick>`[^`]*`)|(?P<percent>%\w*%)"""
    r"""|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"""
    r"""|(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)|(?P<op>.)""",
    re.DOTALL,
)
_OPEN, _CLOSE = "([{", ")]}"


def pointed(message, text, start=None, end=None):
    """A FormulaError that shows the formula with carets under `text[start:end]`, one character, or all of it."""
    if start is None:
        start, end = 0, max(len(text), 1)
    end = start + 1 if end is None else max(end, start + 1)
    return FormulaError(f"{message}\n    {text}\n    {' ' * start}{'^' * (end - start)}")


@dataclass(frozen=True)
class Source:
    """Python's spelling of a formula.

    Attributes
    ----------
    text : str
        As the user typed it (line breaks as blanks).
    code : str
        For patsy: `^` is `**`, `.` is the sum of the remaining columns, and names that Python cannot read
        (`` `my name` ``, `Sepal.Length`, `as.factor`) are identifiers.
    origin : tuple of int
        Position in `text` of each character of `code`, and of its end.
    names : dict
        Identifier in `code` -> the name it stands for.
    tilde : int
        Position of `~` in `code`, or -1.
    """

    text: str
    code: str
    origin: tuple
    names: dict
    tilde: int

    def error(self, message, start, end):
        """A FormulaError that points at `code[start:end]` in the user's text."""
        last = self.origin[end - 1] + 1 if end > start else self.origin[end]
        return pointed(message, self.text, self.origin[start], last)


def read_source(text, columns, reserved, functions, formula=True):
    """Rewrite `text`; `.` is all `columns` but the `reserved`; dotted names may be columns or functions.

    Without `formula`, `~` and `|` are Python's and `.` has no meaning.
    """
    text = re.sub(r"\s", " ", text)
    pieces, origin, names = [], [], {}
    depth, tilde, length = 0, -1, 0
    dotted = {*columns, *functions}

    def emit(piece, at, width):
        nonlocal length
        pieces.append(piece)
        origin.extend(min(at + i, at + width - 1) for i in range(len(piece)))
        length += len(piece)

    def identifier(name):
        for known, meaning in names.items():
            if meaning == name:
                return known
        names[f"_name{len(names)}_"] = name
        return f"_name{len(names) - 1}_"

    for match in _TOKEN.finditer(text):
        kind, token, at = match.lastgroup, match.group(), match.start()
        piece = token
        if kind == "tick":
            piece = identifier(token[1:-1])
        elif kind == "name" and "." in token and token in dotted:
            piece = identifier(token)
        elif kind == "percent":
            raise pointed(_percent_advice(token), text, at, match.end())
        elif token == "`":
            raise pointed("A backtick is not closed.", text, at)
        elif kind == "op":
            depth += (token in _OPEN) - (token in _CLOSE)
            if token == "^":
                piece = "**"
            elif not formula:
                pass
            elif token == "~":
                if tilde >= 0:
                    raise pointed("`~` may occur only once, between the response and the terms.", text, at)
                tilde = length
            elif token == "|" and _groups(text, at, depth):
                raise pointed(
                    "`|` marks random effects, which this model does not have: use lmerb or glmerb, or I(a | b) for "
                    "a logical 'or'.",
                    text,
                    at,
                )
            elif token == "." and tilde >= 0:
                piece = _remaining(text, at, "".join(pieces)[:tilde], names, columns, reserved, identifier)
        emit(piece, at, match.end() - at)
    return Source(text, "".join(pieces), (*origin, len(text)), names, tilde)


def _percent_advice(token):
    if token == "%in%":
        return "%in% is not available: write b %in% a as a:b (nesting: a / b is a + a:b)."
    if token == "%%":
        return "%% is R's remainder: write I(x % y)."
    return f"{token} is not available in formulas: write the operation with a function or inside I()."


def _groups(text, at, depth):
    """Whether `|` stands where lme4 would read a random effect: at the top, or in a bare parenthesis."""
    if depth == 0:
        return True
    opened = 0
    for i in range(at - 1, -1, -1):
        opened += (text[i] in _CLOSE) - (text[i] in _OPEN)
        if opened < 0:
            before = text[:i].rstrip()
            return depth == 1 and text[i] == "(" and not re.search(r"[\w`.\])]$", before)
    return False


def _remaining(text, at, response, names, columns, reserved, identifier):
    """What `.` stands for: every column that the response does not use, in the order of the data."""
    used = {names.get(name, name) for name in re.findall(r"[^\W\d]\w*", response)}
    rest = [name for name in columns if name not in used and name not in reserved]
    if not rest:
        raise pointed("`.` stands for the other columns of data, and there are none.", text, at)
    return "(" + " + ".join(name if name.isidentifier() else identifier(name) for name in rest) + ")"
