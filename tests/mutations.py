"""
What a random mutation may be: one small change of an expression or a statement, in the rooms that carry isolation,
secrets and data.

Left out is what no test should hold: the words of messages, help and logs (strings of three words or more, and all
that is raised), docstrings, annotations, imports, ``__all__``, blocks for type checkers, layouts of classes in
memory, and how long a loop pauses. Inside an f-string nothing is changed but its whole: Python 3.11 does not say
where its parts are.
"""

from __future__ import annotations

import ast
import copy
import difflib
import tomllib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The rooms, as patterns below the package.
ROOMS = (
    "spec/*.py",
    "files/*.py",
    "http_client/*.py",
    "registry/**/*.py",
    "publishing/*.py",
    "resolver/*.py",
    "emitters/*.py",
    "emitters/apply/*.py",
    "emitters/nginx/*.py",
    "emitters/systemd/*.py",
    "emitters/uwsgi/*.py",
    "identity/*.py",
    "backends/*.py",
    "checks/*.py",
    "health/access.py",
    "health/access_log.py",
    "health/drain.py",
    "health/endpoint.py",
    "health/proof.py",
    "launch/**/*.py",
    "monitor/*.py",
    "as_site/*.py",
    "management/**/*.py",
    "operations/courier/*.py",
    "project.py",
    "running.py",
)
#: Mutations that change nothing that anybody could notice, each with the reason.
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
PROSE_WORDS = 3
#: Arguments whose strings are prose, and those that say how a class lies in memory.
PROSE = {
    "help",
    "description",
    "summary",
    "hint",
    "metavar",
    "meaning",
    "wanted",
    "verbose_name",
    "slots",
    "kw_only",
    "stacklevel",
}
LOGGED = {"debug", "info", "warning", "error", "exception", "critical"}
COMPARED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
REVERSED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}
CALCULATED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}  # fmt: skip
#: Functions that take numbers in any order.
ORDERLESS = ("min", "max")
NAMED = {"any": "all", "all": "any", "min": "max", "max": "min"}
ATTRIBUTES = {"startswith": "endswith", "endswith": "startswith", "partition": "rpartition", "rpartition": "partition",
              "issubset": "issuperset", "removeprefix": "removesuffix", "removesuffix": "removeprefix"}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """A change of ``file`` from byte ``start`` to ``end``, in the statement of ``lines``, which defines ``name``."""

    file: str
    lines: tuple[int, int]
    start: int
    end: int
    replacement: str
    name: str = ""

    def of(self, text: str) -> str:
        """Return the text of the file after the change."""
        content = text.encode()
        return (content[: self.start] + self.replacement.encode() + content[self.end :]).decode()

    def diff(self, text: str) -> list[str]:
        """Return the removed lines (-) and the added ones (+)."""
        lines = difflib.unified_diff(text.splitlines(), self.of(text).splitlines(), lineterm="", n=0)
        return [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]

    def added(self, text: str) -> str:
        """Return the added lines without their indentation, as in the list of equivalents."""
        return "\n".join(line[1:].strip() for line in self.diff(text) if line.startswith("+"))

    def removed(self, text: str) -> str:
        """Return the removed lines in the same form."""
        return "\n".join(line[1:].strip() for line in self.diff(text) if line.startswith("-"))


def mutations(package: Path) -> list[Mutation]:
    """Return every mutation of the rooms in a fixed order; some are not valid Python, or change nothing."""
    found: list[Mutation] = []
    for file in sorted({path for room in ROOMS for path in package.glob(room)}):
        found += mutations_of(f"{package.name}/{file.relative_to(package)}", file.read_text(encoding="utf-8"))
    return found


def is_telling(mutation: Mutation, text: str, known: Collection[tuple[str, str, str]]) -> bool:
    """Return whether a mutation of ``text`` is valid Python, a change, and not ``known`` to be equivalent."""
    try:
        if ast.dump(ast.parse(mutation.of(text))) == ast.dump(ast.parse(text)):
            return False
    except SyntaxError:
        return False
    return (mutation.file, mutation.removed(text), mutation.added(text)) not in known


def equivalents() -> list[dict[str, str]]:
    """Return the mutations that are known to be equivalent."""
    found: list[dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])
    return found


def mutations_of(file: str, text: str) -> Iterator[Mutation]:
    """Yield the mutations of a file."""
    tree = ast.parse(text)
    starts = [0]
    for line in text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    seen = set()
    for statement, name in statements(tree.body):
        for node, changed in changes(statement):
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[operator]
            source = ast.unparse(ast.fix_missing_locations(changed))
            replacement = f"({source})" if isinstance(changed, ast.expr) and needs_parentheses(changed) else source
            last = header_end(statement)
            if (begin, end, replacement) not in seen:
                seen.add((begin, end, replacement))
                yield Mutation(file, (statement.lineno, last), begin, end, replacement, name)


def needs_parentheses(node: ast.expr) -> bool:
    return not isinstance(node, ast.Constant | ast.Name | ast.Call | ast.List | ast.Dict | ast.Set | ast.Attribute)


def statements(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[ast.stmt, str]]:
    """Yield each statement that is executed, with the name that it defines; for a constant of a class, the class's."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass | ast.Global) or is_for_types(statement):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        name = target_of(statement)
        yield statement, owner if owner and name.isupper() else name
        for part in ("body", "orelse", "finalbody"):
            inner = statement.name if isinstance(statement, ast.ClassDef) else ""
            yield from statements(getattr(statement, part, []), inner)
        for handler in getattr(statement, "handlers", []):
            yield from statements(handler.body)
        for case in getattr(statement, "cases", []):
            yield from statements(case.body)


def is_for_types(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.If):
        return "TYPE_CHECKING" in ast.unparse(statement.test)
    if isinstance(statement, ast.FunctionDef):
        return any(ast.unparse(decorator) in ("overload", "abstractmethod") for decorator in statement.decorator_list)
    return target_of(statement) in ("__all__", "__slots__") or "TypeVar(" in ast.unparse(statement)[:200]


def target_of(statement: ast.stmt) -> str:
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def header_end(statement: ast.stmt) -> int:
    """Return the last line of a statement, without its block."""
    body = getattr(statement, "body", None)
    return max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno or statement.lineno


def changes(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield pairs of a part of a statement, without its block, and a replacement."""
    yield from statement_changes(statement)
    if isinstance(statement, ast.Raise):
        return
    if isinstance(statement, ast.Expr) and is_logging(statement.value):
        return
    for node in parts(statement):
        yield from ((node, changed) for changed in expression_changes(node))


def is_pause(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep"


def is_logging(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOGGED


def statement_changes(statement: ast.stmt) -> Iterator[tuple[ast.AST, ast.AST]]:
    is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call | ast.Yield | ast.YieldFrom)
    if (is_call and not is_logging(statement.value)) or isinstance(  # type: ignore[attr-defined]
        statement, ast.Raise | ast.AugAssign | ast.Delete
    ):
        yield statement, ast.Pass()
    if isinstance(statement, ast.Return) and statement.value is not None:
        for value in (None, True, False):
            if not (isinstance(statement.value, ast.Constant) and statement.value.value is value):
                yield statement.value, ast.Constant(value)
    if isinstance(statement, ast.If | ast.While):
        yield statement.test, ast.UnaryOp(ast.Not(), statement.test)
        yield statement.test, ast.Constant(False)
        if isinstance(statement, ast.If):
            yield statement.test, ast.Constant(True)


def parts(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions of a statement, except annotations, prose and the parts of f-strings."""
    skipped = {"annotation", "returns", "body", "orelse", "finalbody", "handlers", "cases", "type_params"}
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.expr):
            yield node
        if isinstance(node, ast.JoinedStr) or is_pause(node):
            continue
        for name, value in ast.iter_fields(node):
            if name in skipped and (isinstance(node, ast.stmt | ast.arg) or name in ("annotation", "returns")):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.keyword) and child.arg in PROSE:
                    continue
                if isinstance(child, ast.AST) and not isinstance(getattr(child, "ctx", None), ast.Store | ast.Del):
                    waiting.append(child)


def expression_changes(node: ast.expr) -> Iterator[ast.expr]:
    """Yield replacements of an expression."""
    if type(node) in CHANGES:
        yield from CHANGES[type(node)](node)


def without(node: ast.expr, name: str, index: int) -> ast.expr:
    """Return ``node`` without one of its parts."""
    changed = copy.deepcopy(node)
    values = getattr(changed, name)
    del values[index]
    if isinstance(changed, ast.BoolOp) and len(values) == 1:
        return values[0]  # type: ignore[no-any-return]
    if isinstance(changed, ast.Set) and not values:
        return ast.Call(ast.Name("set"), [], [])
    return changed


def comparisons(node: ast.Compare) -> Iterator[ast.expr]:
    for index, operator in enumerate(node.ops):
        for swaps in (COMPARED, REVERSED):
            if type(operator) in swaps:
                changed = copy.deepcopy(node)
                changed.ops[index] = swaps[type(operator)]()
                yield changed


def constants(node: ast.Constant) -> Iterator[ast.expr]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, str) and len(value.split()) < PROSE_WORDS:
        yield ast.Constant(value + "X")
        if value:
            yield ast.Constant("")


def f_strings(node: ast.JoinedStr) -> Iterator[ast.expr]:
    """Yield the string without one of its values, and with other text, unless it is prose."""
    texts = [part.value for part in node.values if isinstance(part, ast.Constant)]
    if len(" ".join(texts).split()) >= PROSE_WORDS:
        return
    for index, part in enumerate(node.values):
        changed = copy.deepcopy(node)
        if isinstance(part, ast.Constant):
            changed.values[index] = ast.Constant(part.value + "X")
        else:
            del changed.values[index]
        yield changed


def entries(node: ast.Dict) -> Iterator[ast.expr]:
    for index in range(len(node.keys)):
        changed = copy.deepcopy(node)
        del changed.keys[index], changed.values[index]
        yield changed


def calls(node: ast.Call) -> Iterator[ast.expr]:
    """Yield the call with two arguments swapped, one of its keywords left out, or the opposite function."""
    has_order = not (isinstance(node.func, ast.Name) and node.func.id in ORDERLESS)
    if has_order and len(node.args) > 1 and not any(isinstance(argument, ast.Starred) for argument in node.args[:2]):
        swapped = copy.deepcopy(node)
        swapped.args[:2] = [swapped.args[1], swapped.args[0]]
        yield swapped
    for index, keyword in enumerate(node.keywords):
        if keyword.arg not in PROSE:
            yield without(node, "keywords", index)
    if isinstance(node.func, ast.Name) and node.func.id in NAMED:
        renamed = copy.deepcopy(node)
        renamed.func = ast.Name(NAMED[node.func.id])
        yield renamed


def filters(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Iterator[ast.expr]:
    """Yield the comprehension without one of its conditions."""
    for number, generator in enumerate(node.generators):
        for index in range(len(generator.ifs)):
            changed = copy.deepcopy(node)
            del changed.generators[number].ifs[index]
            yield changed


def operands(node: ast.BoolOp) -> Iterator[ast.expr]:
    swapped = copy.deepcopy(node)
    swapped.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    yield swapped
    yield from (without(node, "values", index) for index in range(len(node.values)))


def negations(node: ast.UnaryOp) -> Iterator[ast.expr]:
    if isinstance(node.op, ast.Not):
        yield node.operand


def calculations(node: ast.BinOp) -> Iterator[ast.expr]:
    if type(node.op) in CALCULATED:
        swapped = copy.deepcopy(node)
        swapped.op = CALCULATED[type(node.op)]()
        yield swapped


def members(node: ast.List | ast.Set | ast.Tuple) -> Iterator[ast.expr]:
    yield from (without(node, "elts", index) for index in range(len(node.elts)))


def attributes(node: ast.Attribute) -> Iterator[ast.expr]:
    if node.attr in ATTRIBUTES:
        renamed = copy.deepcopy(node)
        renamed.attr = ATTRIBUTES[node.attr]
        yield renamed


def branches(node: ast.IfExp) -> Iterator[ast.expr]:
    yield from (node.body, node.orelse)


CHANGES: dict[type[ast.expr], Callable[[Any], Iterator[ast.expr]]] = {
    ast.Attribute: attributes,
    ast.BinOp: calculations,
    ast.BoolOp: operands,
    ast.Call: calls,
    ast.Compare: comparisons,
    ast.Constant: constants,
    ast.Dict: entries,
    ast.DictComp: filters,
    ast.GeneratorExp: filters,
    ast.IfExp: branches,
    ast.JoinedStr: f_strings,
    ast.List: members,
    ast.ListComp: filters,
    ast.Set: members,
    ast.SetComp: filters,
    ast.Tuple: members,
    ast.UnaryOp: negations,
}
