"""The stub `__init__.pyi` says of every public name what the code says.  (`make lint` runs mypy on it.)"""

import ast
import inspect
from pathlib import Path

import pytest

import glmbayes

STUB = Path(glmbayes.__file__).with_suffix(".pyi")
TREE = ast.parse(STUB.read_text(encoding="utf-8"))
FUNCTIONS = {node.name: node for node in TREE.body if isinstance(node, ast.FunctionDef)}
REQUIRED = "no default"
FRIENDLY = inspect.Parameter.VAR_KEYWORD  # the code takes unknown keywords to refuse them with advice


def in_stub(node):
    """Parameter name -> (kind, default as text) of a function of the stub."""
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    defaults = [REQUIRED] * (len(positional) - len(a.defaults)) + a.defaults
    found = {arg.arg: ("POSITIONAL_OR_KEYWORD", default) for arg, default in zip(positional, defaults)}
    if a.vararg:
        found[a.vararg.arg] = ("VAR_POSITIONAL", REQUIRED)
    found |= {arg.arg: ("KEYWORD_ONLY", default or REQUIRED) for arg, default in zip(a.kwonlyargs, a.kw_defaults)}
    return {name: (kind, d if d is REQUIRED else ast.literal_eval(d)) for name, (kind, d) in found.items()}


def in_code(function):
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: (p.kind.name, REQUIRED if p.default is p.empty else p.default)
        for p in parameters
        if p.kind is not FRIENDLY
    }


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_signatures_agree(name):
    assert in_stub(FUNCTIONS[name]) == in_code(getattr(glmbayes, name))


def test_every_parameter_and_result_has_a_type():
    for node in FUNCTIONS.values():
        arguments = [*node.args.args, *node.args.kwonlyargs, *([node.args.vararg] if node.args.vararg else [])]
        assert [a.arg for a in arguments if a.annotation is None] == []
        assert node.returns is not None


def test_every_public_name_is_in_the_stub():
    imported = {alias.asname for node in TREE.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    missing = set(glmbayes.__all__) - imported - set(FUNCTIONS)
    assert missing == set(), f"add these to {STUB.name}"


def test_the_package_is_marked_as_typed():
    assert STUB.with_name("py.typed").exists()
