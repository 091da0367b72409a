"""Make mutants of a module: single small changes of its source that a test should notice.

Strings with a space are taken for messages and left alone, as are docstrings, annotations and f-strings, and what
asserts: the `strict` of zip.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
LEFT_ALONE = ("help", "metavar", "desc", "description", "unit", "strict")
Change = tuple[str, ast.expr | str]
"""Kind of a mutation, and what replaces the node."""


@dataclass(frozen=True)
class Mutant:
    """One change of a module.

    Attributes:
        id: stable while the function and the changed text stay: module, function, kind, text, number of its like.
        function: qualified name of the function changed, empty at the level of the module or a class.
        source: the module's whole source with the change.
    """

    id: str
    module: str
    function: str
    line: int
    source: str


def make_mutants(module: str, source: str) -> list[Mutant]:
    """Make every mutant of a module, in the order of its lines."""
    lines = [line.encode() for line in source.splitlines(keepends=True)]
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    whole = source.encode()
    alike: Counter[str] = Counter()
    mutants = []
    for node, function in _walk(ast.parse(source), ""):
        start = starts[node.lineno - 1] + node.col_offset
        stop = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before = " ".join(whole[start:stop].decode().split())
        for kind, after in _changes(node):
            text = after if isinstance(after, str) else f"({ast.unparse(ast.fix_missing_locations(after))})"
            name = f"{module}::{function}::{kind}: {before[:70]} -> {text[:70]}"
            alike[name] += 1
            mutated = (whole[:start] + text.encode() + whole[stop:]).decode()
            mutants.append(Mutant(f"{name} #{alike[name]}", module, function, node.lineno, mutated))
    return mutants


def _walk(node: ast.AST, function: str) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield the nodes that may be changed, each with the outermost function around it."""
    for child in _children(node):
        inside = function
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and not function.startswith("def "):
            inside = f"{function}.{child.name}".lstrip(".")
            inside = f"def {inside}" if isinstance(child, ast.FunctionDef) else inside
        if isinstance(child, ast.expr | ast.stmt):
            yield child, function.removeprefix("def ") if function.startswith("def ") else ""
        yield from _walk(child, inside)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
        return
    skipped = {"annotation", "returns", "decorator_list"}
    for name, value in ast.iter_fields(node):
        for child in [value] if isinstance(value, ast.AST) else value if isinstance(value, list) else []:
            if name not in skipped and isinstance(child, ast.AST) and not _is_left_alone(child):
                yield child


def _is_left_alone(node: ast.AST) -> bool:
    """Check for a docstring, the help of an option, or the strict of zip."""
    return (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ) or (isinstance(node, ast.keyword) and node.arg in LEFT_ALONE)


def _changes(node: ast.expr | ast.stmt) -> Iterator[Change]:  # noqa: C901 (one case per kind of change)
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
            yield "comparison", _with(node, ops=[COMPARISONS[type(operator)]()])
        case ast.BoolOp():
            yield "and/or", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", node.operand
        case ast.BinOp() if type(node.op) in OPERATORS:
            yield "operator", _with(node, op=OPERATORS[type(node.op)]())
        case ast.IfExp():
            yield "branches swapped", _with(node, body=node.orelse, orelse=node.body)
        case ast.Constant():
            yield from _constants(node.value)
        case ast.Call():
            for number, keyword in enumerate(node.keywords):
                if keyword.arg and not _is_left_alone(keyword):
                    rest = node.keywords[:number] + node.keywords[number + 1 :]
                    yield f"without {keyword.arg}", _with(node, keywords=rest)
        case ast.stmt():
            yield from _statements(node)


def _constants(value: object) -> Iterator[Change]:
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
        yield "constant", ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(2 * value + 1)
    elif isinstance(value, str) and " " not in value:
        yield "constant", ast.Constant(f"{value}X")


def _statements(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "return None", "return None"
        case ast.Expr(value=ast.Call() as call) if not ast.unparse(call.func).endswith("logger.debug"):
            yield "dropped", "pass"
        case ast.AugAssign() | ast.Raise() | ast.Delete() | ast.Assert():
            yield "dropped", "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "dropped", "pass"
        case ast.Continue():
            yield "break", "break"
        case ast.Break():
            yield "continue", "continue"


def _with(node: ast.expr, **fields: object) -> ast.expr:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
