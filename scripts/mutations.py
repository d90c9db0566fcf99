"""Small wrong edits of a source file, one at a time: what a strong suite of tests notices.

Left out is what only words a message (f-strings, what is raised or logged), annotations, and asserts, which are for the
type checker. An edit is a piece of text in place of another, so that the rest of the file, and its line numbers, stay.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

Edit: TypeAlias = tuple[str, ast.expr | ast.stmt | ast.Slice, str]
"""Its kind, the node that goes, and the text in its place."""

COMPARED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt(),
    ast.Eq: ast.NotEq(), ast.NotEq: ast.Eq(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(),
    ast.In: ast.NotIn(), ast.NotIn: ast.In(),
}  # fmt: skip
COMPUTED: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Div(), ast.Div: ast.Mult(),
    ast.FloorDiv: ast.Mult(), ast.Mod: ast.FloorDiv(), ast.Pow: ast.Mult(),
    ast.LShift: ast.RShift(), ast.RShift: ast.LShift(),
}  # fmt: skip
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "max"}
TYPED = {"isinstance", "issubclass", "cast"}
COPIED = {"detach", "clone", "contiguous", "float", "double"}
GRADIENT = {"no_grad": "enable_grad", "inference_mode": "enable_grad"}
WORDS = (ast.JoinedStr, ast.List, ast.Tuple, ast.ListComp)


class Mutation(NamedTuple):
    """One wrong edit. `nth` counts the equal ones of its function, so that the rest names it whatever else moves."""

    module: str
    function: str
    kind: str
    before: str
    after: str
    nth: int
    line: int
    start: int
    end: int

    @property
    def name(self) -> str:
        """What it is called in ledgers, and in the list of those that change nothing."""
        more = f" #{self.nth}" if self.nth else ""
        return f"{self.module}:{self.function}: {self.before} -> {self.after}{more}"

    def applied(self, source: str) -> str:
        """Return the whole file with this edit made."""
        text = source.encode()
        return (text[: self.start] + self.after.encode() + text[self.end :]).decode()


def _is_words(node: ast.AST) -> bool:
    return isinstance(node, WORDS) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _constant(node: ast.Constant) -> Iterator[Edit]:
    match node.value:
        case bool(value):
            yield "constant", node, str(not value)
        case int(value) | float(value):
            yield "constant", node, repr(value + 1)


def _call(node: ast.Call) -> Iterator[Edit]:
    function, args, keywords = node.func, node.args, node.keywords
    name = function.id if isinstance(function, ast.Name) else ""
    if name in CALLED:
        yield "call", node, ast.unparse(ast.Call(ast.Name(CALLED[name]), args, keywords))
    elif (
        name not in TYPED
        and len(args) == 2
        and not any(isinstance(arg, ast.Starred) for arg in args)
    ):
        yield "call", node, ast.unparse(ast.Call(function, args[::-1], keywords))
    for nth, keyword in enumerate(keywords):
        if keyword.arg is not None:
            rest = keywords[:nth] + keywords[nth + 1 :]
            yield "keyword", node, ast.unparse(ast.Call(function, args, rest))
    if isinstance(function, ast.Attribute):
        if function.attr in COPIED and not args:
            yield "gradient", node, ast.unparse(function.value)
        if function.attr in GRADIENT:
            other = ast.Attribute(function.value, GRADIENT[function.attr])
            yield "gradient", node, ast.unparse(ast.Call(other, args, keywords))


def _slice(node: ast.Slice) -> Iterator[Edit]:
    one, none = ast.Constant(1), ast.Constant(-1)
    lower = ast.BinOp(node.lower, ast.Add(), one) if node.lower else one
    upper = ast.BinOp(node.upper, ast.Sub(), one) if node.upper else none
    yield "slice", node, ast.unparse(ast.Slice(lower, node.upper, node.step))
    yield "slice", node, ast.unparse(ast.Slice(node.lower, upper, node.step))


def _statement(node: ast.stmt, known: set[str]) -> Iterator[Edit]:
    """Yield the edits of a whole statement. To drop the first value of a name fails at once and shows nothing."""
    match node:
        case ast.Expr(ast.Call()) | ast.AugAssign():
            yield "statement", node, "pass"
        case ast.Raise(exc) if "NotImplemented" not in ast.unparse(exc or node):
            yield "statement", node, "pass"
        case ast.Assign([ast.Attribute() | ast.Subscript()]):
            yield "statement", node, "pass"
        case ast.Assign([ast.Name(name)]) if name in known:
            yield "statement", node, "pass"
        case ast.Return(ast.expr() as value) if not isinstance(value, ast.Constant):
            yield "return", node, "return None"
        case ast.Break():
            yield "loop", node, "continue"
        case ast.Continue():
            yield "loop", node, "break"
        case ast.If(test) | ast.While(test):
            yield "condition", test, f"not ({ast.unparse(test)})"


def _edits(node: ast.AST, known: set[str]) -> Iterator[Edit]:
    """Yield the edits of one node, those of its children aside."""
    match node:
        case ast.Constant():
            yield from _constant(node)
        case ast.UnaryOp(ast.USub(), ast.Constant(int(value))):
            yield "constant", node, repr(-value - 1)
        case ast.UnaryOp(ast.Not(), operand):
            yield "logic", node, ast.unparse(operand)
        case ast.BoolOp(op, values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "logic", node, ast.unparse(ast.BoolOp(other, values))
        case ast.Compare(left, [op], right):
            yield "comparison", node, ast.unparse(ast.Compare(left, [COMPARED[type(op)]], right))
        case ast.BinOp(left, op, right) if type(op) in COMPUTED:
            if not _is_words(left) and not _is_words(right):
                yield "arithmetic", node, ast.unparse(ast.BinOp(left, COMPUTED[type(op)], right))
        case ast.AugAssign(target, op, value) if type(op) in COMPUTED:
            yield "arithmetic", node, ast.unparse(ast.AugAssign(target, COMPUTED[type(op)], value))
            yield from _statement(node, known)
        case ast.IfExp(test):
            yield "condition", test, f"not ({ast.unparse(test)})"
        case ast.Call():
            yield from _call(node)
        case ast.Slice():
            yield from _slice(node)
        case ast.stmt():
            yield from _statement(node, known)


def _spoken(node: ast.AST) -> bool:
    """Return whether a node is a message, an annotation's like, or a check for the type checker."""
    if isinstance(node, ast.Expr | ast.Await):
        node = node.value
    logs = isinstance(node, ast.Call) and ast.unparse(node.func).startswith(
        ("logger.", "warnings.")
    )
    return logs or isinstance(node, ast.JoinedStr | ast.Assert)


def _walk(node: ast.AST, function: str, known: set[str]) -> Iterator[tuple[str, Edit]]:
    """Yield every edit of a tree with the qualified name of the function that it is in."""
    if _spoken(node):
        return
    inner = function
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        inner = f"{function}.{node.name}" if function else node.name
    if isinstance(node, ast.FunctionDef):
        inner, known = (
            f"{inner}.<locals>",
            {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)},
        )
    here = function.removesuffix(".<locals>")
    yield from ((here, edit) for edit in _edits(node, known))
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        known.add(node.targets[0].id)
    if isinstance(node, ast.Raise) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    ):
        return
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                decorates = field in ("decorator_list", "args")
                yield from _walk(
                    child, inner if not decorates else inner.removesuffix(".<locals>"), known
                )


def mutations(module: str, source: str) -> list[Mutation]:
    """Return every edit of a module, in the order of its lines."""
    begins = [0]
    for line in source.encode().splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    found: list[Mutation] = []
    seen: dict[tuple[str, ...], int] = {}
    for function, (kind, node, after) in _walk(ast.parse(source), "", set()):
        before = ast.unparse(node)
        if isinstance(node, ast.expr) and not isinstance(node, ast.Slice):
            after = f"({after})"
        if after.strip("()") == before.strip("()"):  # both arguments are the same
            continue
        key = (function, kind, before, after)
        seen[key] = seen.get(key, -1) + 1
        start = begins[node.lineno - 1] + node.col_offset
        end = begins[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        found.append(Mutation(module, *key, seen[key], node.lineno, start, end))
    return sorted(found, key=lambda mutation: (mutation.start, mutation.kind))
