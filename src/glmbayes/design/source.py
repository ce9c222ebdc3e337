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
    tilde, length = -1, 0
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
        elif kind == "name":
            known = next((k for k in _prefixes(token) if k in dotted), None)
            piece = token if known is None else identifier(known) + token[len(known) :]
        elif kind == "percent":
            raise pointed(_percent_advice(token), text, at, match.end())
        elif token == "`":
            raise pointed("A backtick is not closed.", text, at)
        elif token == "^":
            piece = "**"
        elif kind == "op" and formula:
            calls = [_is_call(text, i) for i in _open_brackets(text, at)]
            if token == "~" and not calls:
                if tilde >= 0:
                    raise pointed("`~` may occur only once, between the response and the terms.", text, at)
                tilde = length
            elif token == "|" and not any(calls):
                raise pointed(
                    "`|` marks random effects, which this model does not have: use lmerb or glmerb, or I(a | b) for "
                    "a logical 'or'.",
                    text,
                    at,
                )
            elif token == "." and tilde >= 0:
                if any(calls):
                    raise pointed("`.` stands for terms and cannot be inside a function.", text, at)
                piece = _remaining(text, at, "".join(pieces)[:tilde], names, columns, reserved, identifier)
        emit(piece, at, match.end() - at)
    if formula and tilde < 0 and "~" in text:
        bracket = _open_brackets(text, text.index("~"))[-1]
        raise pointed("The formula has a syntax error (a bracket is open at `~`).", text, bracket)
    return Source(text, "".join(pieces), (*origin, len(text)), names, tilde)


def _prefixes(name):
    """Sepal.Length.mean, Sepal.Length: the dotted names that `name` may start with, longest first."""
    parts = name.split(".")
    return (".".join(parts[:k]) for k in range(len(parts), 1, -1))


def _open_brackets(text, at):
    """Positions of the brackets that are open at `text[at]`."""
    found = []
    for match in re.finditer(r"'[^']*'|\"[^\"]*\"|`[^`]*`|[()\[\]{}]", text[:at]):
        if match.group() in _OPEN:
            found.append(match.start())
        elif match.group() in _CLOSE and found:
            found.pop()
    return found


def _is_call(text, bracket):
    """Whether a bracket belongs to a call or an index rather than grouping terms."""
    return text[bracket] != "(" or re.search(r"[\w`.\])]\s*$", text[:bracket]) is not None


def _percent_advice(token):
    if token == "%in%":
        return "%in% is not available: write b %in% a as a:b (nesting: a / b is a + a:b)."
    if token == "%%":
        return "%% is R's remainder: write I(x % y)."
    return f"{token} is not available in formulas: write the operation with a function or inside I()."


def _remaining(text, at, response, names, columns, reserved, identifier):
    """What `.` stands for: every column that the response does not use, in the order of the data."""
    used = {names.get(name, name) for name in re.findall(r"[^\W\d]\w*", response)}
    rest = [name for name in columns if name not in used and name not in reserved]
    if not rest:
        raise pointed("`.` stands for the other columns of data, and there are none.", text, at)
    return _balanced([name if name.isidentifier() else identifier(name) for name in rest])


def _balanced(names):
    """A sum as a tree of pairs: patsy's evaluation is recursive, and quadratic in the length of a plain chain."""
    if len(names) == 1:
        return f"({names[0]})"
    half = len(names) // 2
    return f"({_balanced(names[:half])} + {_balanced(names[half:])})"
