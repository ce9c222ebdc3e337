"""A Python expression inside a formula: its name in R's spelling, what it needs, and how it is evaluated."""

import ast
import functools
import io
import keyword
import re
import tokenize
from dataclasses import dataclass, field

from glmbayes.design.source import Source, pointed

_TIGHT = {"**", "/", ".", ":", "(", "[", "{", ")", "]", "}", "@", "//", "%"}


@dataclass(frozen=True)
class Name:
    """A name that an expression looks up: as written in Python, what it stands for, where it was typed."""

    identifier: str
    meaning: str
    start: int
    end: int


@dataclass(frozen=True)
class Expression:
    """One variable, response, offset or row argument.

    Attributes
    ----------
    code : str
        Python source; two expressions are equal when their code is.
    name : str
        As R prints it: `I(x^2)`, `log(x)`, `C(g, Sum)`.
    variables, functions : tuple of Name
        Names looked up as values, and as functions.
    call : str or None
        The function called outermost.
    arguments : tuple of str
        The names of the positional arguments of that call.
    plain : str or None
        The variable, when the expression is nothing else.
    text, start, end
        The formula as typed and where the expression stands in it.
    """

    code: str
    name: str = field(compare=False)
    variables: tuple = field(compare=False)
    functions: tuple = field(compare=False)
    call: str | None = field(compare=False)
    arguments: tuple = field(compare=False)
    plain: str | None = field(compare=False)
    text: str = field(compare=False)
    start: int = field(compare=False)
    end: int = field(compare=False)

    def error(self, message):
        """A FormulaError that points at the expression."""
        return pointed(message, self.text, self.start, self.end)


def read_expression(source: Source, start: int, end: int) -> Expression:
    """The expression `source.code[start:end]`; a syntax error points at the character."""
    start, end = _bare(source.code, start, end)
    raw = source.code[start:end]
    at, to = source.origin[start], source.origin[end - 1] + 1
    where = {"text": source.text, "start": at, "end": to}
    if raw.isidentifier():  # also Python's keywords: a column may be called class
        meaning = source.names.get(raw, raw)
        names = (Name(raw, meaning, at, to),)
        return Expression(raw, _display(meaning), names, (), None, (), meaning, **where)
    try:
        tree = ast.parse(raw, mode="eval").body
    except SyntaxError as error:
        offset = min(max((error.offset or 1) - 1, 0), len(raw) - 1)
        at = start + offset
        raise source.error(f"The formula has a syntax error ({error.msg}).", at, at + 1) from None
    code = raw if all(ord(c) < 128 for c in raw) else None

    def name_of(node):
        offset = node.col_offset if code else len(raw.encode()[: node.col_offset].decode())
        first = start + offset
        last = first + len(node.id) - 1
        return Name(node.id, source.names.get(node.id, node.id), source.origin[first], source.origin[last] + 1)

    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {id(function) for function in calls if isinstance(function, ast.Name)}
    loads = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in loads if not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    free = [node for node in loads if node.id not in bound]
    outer = tree if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else None
    return Expression(
        ast.unparse(tree),  # log( x ) and log(x) are the same
        _r_spelling(raw, source.names),
        _unique(name_of(node) for node in free if id(node) not in called),
        _unique(name_of(node) for node in free if id(node) in called),
        source.names.get(outer.func.id, outer.func.id) if outer else None,
        tuple(_r_spelling(ast.get_source_segment(raw, a), source.names) for a in outer.args) if outer else (),
        None,
        **where,
    )


def _bare(code, start, end):
    """Narrow `code[start:end]` to the expression without blanks and enclosing parentheses."""
    while True:
        raw = code[start:end]
        start += len(raw) - len(raw.lstrip())
        raw = raw.strip()
        end = start + len(raw)
        if not (raw.startswith("(") and raw.endswith(")")) or _closing(raw) != len(raw) - 1:
            return start, end
        start, end = start + 1, end - 1


def _closing(code):
    """Position of the parenthesis that closes the first one."""
    depth = 0
    for match in re.finditer(r"'[^']*'|\"[^\"]*\"|[()]", code):
        depth += (match.group() == "(") - (match.group() == ")")
        if depth == 0:
            return match.start()
    return -1


def _unique(names):
    return tuple({name.identifier: name for name in names}.values())


def _display(name):
    """R puts backticks around names that it could not read otherwise."""
    return name if re.fullmatch(r"[^\W\d_][\w.]*|\.(?!\d)[\w.]*|_\w*", name) else f"`{name}`"


def _r_spelling(code, names):
    """`I(x ** 2)` as `I(x^2)`, `f(a,b=1)` as `f(a, b = 1)`: what R's deparse would print."""
    out = []
    previous = None
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        text = token.string
        if token.type == tokenize.NAME:
            space = previous is not None and (previous.isidentifier() or previous[-1] in "\"'" or previous[0].isdigit())
            word = keyword.iskeyword(text) and text not in ("True", "False", "None")
            out.append(" " * (space or (word and previous is not None)) + _display(names.get(text, text)))
        elif token.type in (tokenize.NUMBER, tokenize.STRING):
            word = previous is not None and keyword.iskeyword(previous)
            if text[0] == "'" and '"' not in text:
                text = f'"{text[1:-1]}"'
            out.append(" " * word + text)
        elif token.type == tokenize.OP:
            unary = previous is None or (previous in "([{,=:" or previous[0] in "+-*/<>=!&|~%")
            if text == ",":
                out.append(", ")
            elif text == "**" and not unary:
                out.append("^")
            elif text in _TIGHT or unary:
                out.append(text)
            else:
                out.append(f" {text} ")
        else:
            continue
        previous = text
    return "".join(out)


@functools.lru_cache(maxsize=512)
def compiled(code):
    """Code object in which every call f(...) is _call(k, f, ...), so that call k can keep what it learnt."""
    tree = _Calls().visit(ast.parse(code, mode="eval"))
    return compile(ast.fix_missing_locations(tree), "<formula>", "eval")


class _Calls(ast.NodeTransformer):
    def __init__(self):
        self.count = 0

    def visit_Call(self, node):
        key = ast.Constant(self.count)
        self.count += 1
        self.generic_visit(node)
        function = ast.Constant(node.func.id) if isinstance(node.func, ast.Name) else node.func
        return ast.Call(ast.Name("_call", ast.Load()), [key, function, *node.args], node.keywords)
