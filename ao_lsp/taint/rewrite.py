"""Rewrites a module so that its values keep their origins. The only file that imports `ast`.

    a + b            add(a, b)
    x += y           x += in_place_add(x, y)            the helper picks what is added
    f(a)             callee(f)(a)                       the helper picks what is called
    o.name           attribute(o).name                  ... what the attribute is read from
    o[key]           item(o)[key]
    o.name += y      target(o).name += y
    f"{a!r:>9} b"    text(formatted(a, 114, ">9"), " b")
    t"{a!r:>{w}}"    t"{a!r:{text('>', formatted(w))}}"
    for x in y       for x in iterate(y)                also comprehensions, yield from y
    a, b = y         a, b = spread(y)                   also *y
    await x          await awaited(x)
    with x           with entered(x)                    also async for, async with
    def f(a): ...    if INSIDE and called_back(): a = handed(a)       before what uses it
    return x         if INSIDE: return given_back(x)                  before `return x`

The operation itself stays in the user's code wherever it can, at its own position, so that
tracebacks, debuggers and coverage see what they would see. Where evaluating an operand twice is
harmless (a name, a constant), the expression becomes `rewritten if TAINT else original`, which costs
next to nothing while nothing is tagged; nested operators become `rewritten if LIVE else original`. Assignments,
comparisons, `is`, boolean tests, annotations, decorators, `del` and patterns are left alone.

Helpers are found as built-ins whose names no program can write (`__@ao.…`), so that a module's own
namespace stays as it is. What stands here decides what the bytecode cache holds: `VERSION` is part
of its key.
"""

from __future__ import annotations

import ast
import sys
from typing import Any, TypeVar

from ao_lsp.taint.names import HELPER, INSIDE_LIBRARY, TAINTED, WATCHED
from ao_lsp.taint.percent import pieces_of

VERSION = 8
"""To be raised with every change of what is generated."""

Node = TypeVar("Node", bound="ast.expr | ast.stmt")

# Called as they are: they look at the frame of their caller, or their answer has no origins.
_DIRECT = frozenset(
    [
        "super",
        "locals",
        "globals",
        "vars",
        "dir",
        "eval",
        "exec",
        "compile",
        "type",
        "isinstance",
        "issubclass",
        "hasattr",
        "callable",
        "id",
        "object",
        "property",
        "staticmethod",
        "classmethod",
        "breakpoint",
        "__import__",
    ]
)


# Calls whose function is called so are helped from the start, because what they say is not the same in every run
# (chance.py decides what it is in truth).
_DRAWING = frozenset(
    [
        "time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime", "now", "utcnow", "today",
        "uuid1", "uuid4", "urandom", "token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits",
        "choice", "Random", "default_rng",
    ]
)  # fmt: skip


def rewrite(source: bytes, filename: str) -> ast.Module:
    """The rewritten syntax tree of a module.

    Raises:
        SyntaxError, ValueError, RecursionError: as `compile` would for the source as it is; the
            caller then leaves the module alone, and the interpreter says what is wrong.
    """
    tree = ast.parse(source, filename)
    rewritten: ast.Module = _Rewriter(_imported(tree), _drawing(tree)).visit(tree)
    return rewritten


def _drawing(tree: ast.Module) -> frozenset[str]:
    """The other names that the module has for functions of `_DRAWING`."""
    return frozenset(
        name.asname
        for statement in ast.walk(tree)
        if isinstance(statement, ast.ImportFrom)
        for name in statement.names
        if name.asname and name.name in _DRAWING
    )


def _imported(tree: ast.Module) -> frozenset[str]:
    """Names that an import binds at the top of the module."""
    return frozenset(
        (name.asname or name.name.partition(".")[0])
        for statement in tree.body
        if isinstance(statement, (ast.Import, ast.ImportFrom))
        for name in statement.names
    )


def _is_simple(node: ast.expr) -> bool:
    """Whether evaluating `node` twice is the same as evaluating it once."""
    return isinstance(node, (ast.Name, ast.Constant))


def _is_literal(node: ast.expr) -> bool:
    """Whether the compiler can compute `node` by itself (as in `60 * 60` or `-1`)."""
    if isinstance(node, ast.BinOp):
        return _is_literal(node.left) and _is_literal(node.right)
    if isinstance(node, ast.UnaryOp):
        return _is_literal(node.operand)
    return isinstance(node, ast.Constant)


def _is_dotted(node: ast.expr) -> bool:
    """Whether `node` may stand in both branches of a condition, of which one is evaluated."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _at(node: Node, place: ast.expr | ast.stmt) -> Node:
    return ast.copy_location(node, place)


def _name(name: str, place: ast.expr | ast.stmt) -> ast.Name:
    return _at(ast.Name(name, ast.Load()), place)


def _help(helper: str, arguments: list[ast.expr], place: ast.expr | ast.stmt) -> ast.Call:
    return _at(ast.Call(_name(HELPER + helper, place), arguments, []), place)


_GUARDS = (TAINTED, WATCHED)


def _guarded(guard: str, rewritten: ast.expr, original: ast.expr) -> ast.IfExp:
    return _at(ast.IfExp(_name(guard, original), rewritten, original), original)


def _branches(node: ast.expr) -> tuple[ast.expr, ast.expr] | None:
    """Both ways to evaluate a rewritten operand of which nothing but operators runs: helped, and as it
    stood in the source."""
    if isinstance(node, ast.IfExp):
        guarded = isinstance(node.test, ast.Name) and node.test.id in _GUARDS
        return (node.body, node.orelse) if guarded and isinstance(node.orelse, (ast.BinOp, ast.UnaryOp)) else None
    return (node, node) if _is_simple(node) or _is_literal(node) else None


def _guarded_call(rewritten: ast.Call, original: ast.Call) -> ast.IfExp:
    if sys.version_info[:2] != (3, 12):
        return _guarded(WATCHED, rewritten, original)
    # CPython 3.12 tells tracers of a line once more where branches meet right behind a call. So both
    # calls are followed by a jump: `original if not WATCHED else (rewritten if WATCHED else None)`.
    inner = _at(ast.IfExp(_name(WATCHED, original), rewritten, _at(ast.Constant(None), original)), original)
    nothing = _at(ast.UnaryOp(ast.Not(), _name(WATCHED, original)), original)
    return _at(ast.IfExp(nothing, original, inner), original)


def _as_guarded(node: ast.expr) -> ast.IfExp | None:
    """`node` as `_guarded` makes it, if it has been made by that or by `_guarded_call`."""
    if not isinstance(node, ast.IfExp):
        return None
    if isinstance(node.test, ast.UnaryOp) and isinstance(node.orelse, ast.IfExp):
        inner = _as_guarded(node.orelse)
        return inner and _at(ast.IfExp(inner.test, inner.body, node.body), node)
    return node if isinstance(node.test, ast.Name) and node.test.id in _GUARDS else None


def _read_from(helper: str, node: ast.expr) -> ast.expr:
    """`node`, or what the helper puts in its place."""
    helped = _help(helper, [node], node)
    return _guarded(TAINTED, helped, node) if _is_simple(node) else helped


def _stepped(helper: str, node: ast.expr) -> ast.expr:
    """The same for what library code may run in: also while nothing is tagged yet."""
    helped = _help(helper, [node], node)
    return _guarded(WATCHED, helped, node) if _is_simple(node) else helped


# -- functions that library code may call (callbacks.py)

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _is_slot(name: str) -> bool:
    """Whether a method is one that the language calls, with operands that are no record of anything."""
    return name[:2] == name[-2:] == "__" and name not in ("__call__", "__init__", "__post_init__")


def _arguments_used(node: Any, is_method: bool) -> list[str]:
    """Which parameters of a function need their origins where library code calls it."""
    if _is_slot(getattr(node, "name", "")):
        return []
    arguments: ast.arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    decorators = getattr(node, "decorator_list", ())
    if is_method and not any(isinstance(made, ast.Name) and made.id == "staticmethod" for made in decorators):
        positional = positional[1:]
    rest = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    used = {part.id for statement in body for part in ast.walk(statement) if isinstance(part, ast.Name)}
    return [argument.arg for argument in (*positional, *arguments.kwonlyargs, *rest) if argument.arg in used]


def _yields(node: Any) -> bool:
    """Whether a function is a generator."""
    waiting = list(node.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(part, (*_FUNCTIONS, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(part))
    return False


def _first_executed(body: list[ast.stmt]) -> int | None:
    """Which statement of a function is the first that the compiler makes code for."""
    for index, statement in enumerate(body):
        documents = not index and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        declares = isinstance(statement, ast.AnnAssign) and statement.value is None
        if not documents and not declares and not isinstance(statement, (ast.Global, ast.Nonlocal)):
            return index
    return None


def _beginning(statement: ast.stmt) -> ast.expr:
    """Where a tracer is told that a statement begins: the first thing that it evaluates."""
    at: Any = statement
    for name in ("decorator_list", "value", "test", "iter", "subject", "exc", "items", "targets"):
        part = getattr(statement, name, None)
        if isinstance(part, list):
            part = part[0] if part else None
        if isinstance(part, ast.withitem):
            part = part.context_expr
        if part is not None:
            at = part
            break
    place = ast.Constant(None)
    place.lineno = place.end_lineno = at.lineno
    place.col_offset = place.end_col_offset = at.col_offset
    return place


def _asked(place: ast.expr) -> ast.BoolOp:
    return _at(ast.BoolOp(ast.And(), [_name(INSIDE_LIBRARY, place), _help("called_back", [], place)]), place)


def _called_back(names: list[str], place: ast.expr) -> ast.If:
    taken: list[ast.stmt] = [
        _at(ast.Assign([_at(ast.Name(name, ast.Store()), place)], _help("handed", [_name(name, place)], place)), place)
        for name in names
    ]
    return _at(ast.If(_asked(place), taken, []), place)


def _lambda_called_back(names: list[str], body: ast.expr) -> ast.IfExp:
    place = _at(ast.Constant(None), body)
    taken: list[ast.expr] = [
        _at(ast.NamedExpr(_at(ast.Name(name, ast.Store()), place), _help("handed", [_name(name, place)], place)), place)
        for name in names
    ]
    asked = _asked(place)
    asked.values.append(_help("handed_lambda", taken, place))
    return _at(ast.IfExp(_at(ast.UnaryOp(ast.Not(), asked), place), body, _at(ast.Constant(None), place)), body)


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return all(map(_is_constant, node.elts))
    return _is_literal(node)


_SMALL = 30


def _is_small(node: ast.expr) -> bool:
    """Whether an expression may stand twice in the code, of which one is evaluated."""
    return not any(
        size >= _SMALL or isinstance(part, (ast.Lambda, ast.comprehension)) for size, part in enumerate(ast.walk(node))
    )


class _Rewriter(ast.NodeTransformer):
    def __init__(self, imported: frozenset[str], drawing: frozenset[str]) -> None:
        self._imported = imported
        self._drawing = drawing
        self._in_class_body = False
        self._own: frozenset[str] = frozenset()  # names for the object whose method this is
        self._gives_back = False  # what the function around this returns may go to library code
        self._in_iterable = False

    # -- scopes, and what is not touched in them

    def _function(self, node: Any) -> Any:
        arguments = node.args
        arguments.defaults = [self.visit(default) for default in arguments.defaults]
        arguments.kw_defaults = [default and self.visit(default) for default in arguments.kw_defaults]
        outer = self._in_class_body, self._own, self._gives_back
        arriving = _arguments_used(node, self._in_class_body)
        if self._in_class_body and (arguments.posonlyargs or arguments.args):
            self._own = frozenset(((arguments.posonlyargs or arguments.args)[0].arg,))
        self._in_class_body = False
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
            if arriving and not self._in_iterable:
                node.body = _lambda_called_back(arriving, node.body)
        else:
            self._gives_back = not _is_slot(node.name) and (isinstance(node, ast.AsyncFunctionDef) or not _yields(node))
            first = _first_executed(node.body)
            place = None if first is None else _beginning(node.body[first])
            node.body = [self.visit(statement) for statement in node.body]
            if arriving and first is not None and place is not None:
                node.body.insert(first, _called_back(arriving, place))
        self._in_class_body, self._own, self._gives_back = outer
        return node

    def visit_Return(self, node: ast.Return) -> Any:
        if node.value is None or not self._gives_back or _is_constant(node.value):
            return self.generic_visit(node)
        value = self.visit(node.value)
        guarded = _as_guarded(value)
        helped = value if guarded is None else guarded.body
        if not _is_small(helped):
            node.value = _help("given_back", [value], value)
            return node
        node.value = value
        given = _at(ast.Return(_help("given_back", [helped], value)), node)
        return _at(ast.If(_name(INSIDE_LIBRARY, value), [given], [node]), value)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function  # noqa: N815  # ast's names

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        outer = self._in_class_body
        self._in_class_body = True
        node.body = [self.visit(statement) for statement in node.body]
        self._in_class_body = outer
        helpers = {
            part.id
            for statement in node.body
            for part in ast.walk(statement)
            if isinstance(part, ast.Name) and part.id.startswith(HELPER)
        }
        if helpers:
            # Or they would be looked up in the namespace that the metaclass made, which may answer every name.
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            node.body.insert(int(documented), _at(ast.Global(sorted(helpers)), first))
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.target = self.visit(node.target)
        node.value = node.value and self.visit(node.value)
        return node

    def visit_match_case(self, node: ast.match_case) -> Any:
        node.guard = node.guard and self.visit(node.guard)
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_TypeAlias(self, node: ast.AST) -> Any:
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        node.value = self.visit(node.value)
        guarded = _as_guarded(node.value)
        if guarded is not None:
            # Where the two branches of an expression meet, the compiler knows no line any more, and
            # what dies there (a coroutine that was never awaited) would have none to be named.
            chosen = _at(ast.Expr(guarded.body), node), _at(ast.Expr(guarded.orelse), node)
            return _at(ast.If(guarded.test, [chosen[0]], [chosen[1]]), node)
        return node

    # -- operators

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        if _is_literal(node):
            return node
        as_written = _f_string_of(node)
        if as_written is not None:
            return self.visit_JoinedStr(as_written)
        left, right = self.visit(node.left), self.visit(node.right)
        name = type(node.op).__name__
        of_left, of_right = _branches(left), _branches(right)
        if of_left is None or of_right is None:
            return _help(name, [left, right], node)
        node.left, node.right = of_left[1], of_right[1]
        helped = _help(name, [of_left[0], of_right[0]], node)
        # One that runs more than one operator is no place for a test of what the first may have
        # changed: there the question is whether anything can be tagged at all.
        return _guarded(TAINTED if _is_simple(left) and _is_simple(right) else WATCHED, helped, node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if _is_literal(node):
            return node
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            node.operand = operand
            return node
        name = type(node.op).__name__
        of_operand = _branches(operand)
        if of_operand is None:
            return _help(name, [operand], node)
        node.operand = of_operand[1]
        return _guarded(TAINTED if _is_simple(operand) else WATCHED, _help(name, [of_operand[0]], node), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        node.value = self.visit(node.value)
        target = node.target
        if isinstance(target, ast.Name):
            if self._in_class_body:
                return node  # the namespace may be a mapping that counts its look-ups
            variable = _name(target.id, target)
            if isinstance(node.op, ast.Mod):
                modulo = _help("in_place.Mod", [variable, node.value], node)
                return _at(ast.Assign([target], modulo), node)
            name = "in_place." + type(node.op).__name__
            of_value = _branches(node.value)
            if of_value is None:
                node.value = _help(name, [variable, node.value], node)
            else:
                guard = TAINTED if _is_simple(node.value) else WATCHED
                node.value = _guarded(guard, _help(name, [variable, of_value[0]], node), of_value[1])
            return node
        if isinstance(target, ast.Subscript):
            target.slice = self.visit(target.slice)
        target.value = _stepped("target", self.visit(target.value))
        return node

    # -- reading

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self._visit_owner(node)
        if isinstance(node.ctx, ast.Load) and not self._is_own(node.value):
            node.value = _read_from("attribute", node.value)
        return node

    def _visit_owner(self, node: ast.Attribute) -> None:
        node.value = self.visit(node.value)

    def _is_own(self, node: ast.expr) -> bool:
        """Whether `node` is an imported module or the method's own object: never read through."""
        return isinstance(node, ast.Name) and (node.id in self._imported or node.id in self._own)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        node.value = self.visit(node.value)
        node.slice = self.visit(node.slice)
        if isinstance(node.ctx, ast.Load) and not isinstance(node.value, ast.Constant):
            node.value = _read_from("item", node.value)
        return node

    # -- calls

    def visit_Call(self, node: ast.Call) -> Any:
        function = node.func
        if isinstance(function, ast.Attribute):
            self._visit_owner(function)  # a bound method knows its receiver, it is not read out of it
        else:
            function = self.visit(function)
        node.args = [self.visit(argument) for argument in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        if isinstance(function, ast.Name) and (
            function.id in _DIRECT
            or (function.id == "print" and all(k.arg not in (None, "file") for k in node.keywords))
        ):
            return node
        place = self._place_of_call(node)
        chosen = _help("callee", [function], place)
        if self._draws(function):
            return _at(ast.Call(_help("drawn", [function], place), node.args, node.keywords), place)
        if not _is_dotted(function):
            return _at(ast.Call(chosen, node.args, node.keywords), place)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if all(map(_is_simple, arguments)):
            node.func = function
            return _guarded_call(_at(ast.Call(chosen, node.args, node.keywords), place), node)
        return _at(ast.Call(_guarded(WATCHED, chosen, function), node.args, node.keywords), place)

    def _draws(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute):
            return function.attr in _DRAWING
        return isinstance(function, ast.Name) and (function.id in _DRAWING or function.id in self._drawing)

    def _place_of_call(self, node: ast.Call) -> ast.expr:
        """Where the compiler would place the call instruction: for a method call that spans lines,
        at the method's name (`update_start_location_to_match_attr` in CPython's compile.c)."""
        function = node.func
        if (
            not isinstance(function, ast.Attribute)
            or function.end_lineno == node.lineno
            or any(isinstance(argument, ast.Starred) for argument in node.args)
            or any(keyword.arg is None for keyword in node.keywords)
            or (
                sys.version_info >= (3, 12) and isinstance(function.value, ast.Name) and self._is_import(function.value)
            )
        ):
            return node
        place = ast.copy_location(ast.Constant(None), node)
        place.lineno = function.end_lineno or node.lineno
        place.col_offset = max(0, (function.end_col_offset or 0) - len(function.attr))
        return place

    def _is_import(self, node: ast.Name) -> bool:
        return node.id in self._imported

    # -- texts

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        if not any(isinstance(piece, ast.FormattedValue) for piece in node.values):
            return node
        simple = all(
            isinstance(piece, ast.Constant)
            or (
                isinstance(piece, ast.FormattedValue)
                and _is_simple(piece.value)
                and (piece.format_spec is None or not _values_in(piece.format_spec))
            )
            for piece in node.values
        )
        # Python 3.12 puts an empty constant at the end of some.
        pieces = [self._piece(piece) for piece in node.values if getattr(piece, "value", None) != ""]
        helped = pieces[0] if len(pieces) == 1 else _help("text", pieces, node)
        return _guarded(TAINTED, helped, node) if simple else helped

    def visit_Interpolation(self, node: Any) -> Any:
        """One `{value!conversion:spec}` of a template string, which has the value itself (3.14 and newer)."""
        node.value = self.visit(node.value)
        if node.format_spec is not None and _values_in(node.format_spec):
            spec = _at(ast.FormattedValue(self._spec(node.format_spec), -1), node)
            node.format_spec = _at(ast.JoinedStr([spec]), node)
        return node

    def _piece(self, piece: ast.expr) -> ast.expr:
        if not isinstance(piece, ast.FormattedValue):
            return piece
        arguments = [self.visit(piece.value)]
        if piece.conversion != -1 or piece.format_spec is not None:
            arguments.append(_at(ast.Constant(piece.conversion), piece))
        if piece.format_spec is not None:
            arguments.append(self._spec(piece.format_spec))
        return _help("formatted", arguments, piece)

    def _spec(self, spec: ast.expr) -> ast.expr:
        assert isinstance(spec, ast.JoinedStr)  # noqa: S101  # by the grammar
        if _values_in(spec):
            rewritten: ast.expr = self.visit_JoinedStr(spec)
            return rewritten
        written = "".join(str(piece.value) for piece in spec.values if isinstance(piece, ast.Constant))
        return _at(ast.Constant(written), spec)

    # -- iterating, awaiting, entering

    def visit_Starred(self, node: ast.Starred) -> Any:
        node.value = self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            node.value = _stepped("spread", node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> Any:
        node.targets = [self.visit(target) for target in node.targets]
        node.value = self.visit(node.value)
        unpacked = len(node.targets) == 1 and isinstance(node.targets[0], (ast.Tuple, ast.List))
        if unpacked and not isinstance(node.value, (ast.Tuple, ast.List, ast.Constant)):
            node.value = _stepped("spread", node.value)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        outer = self._in_iterable
        self._in_iterable = True  # no place for an assignment, not even in a lambda
        node = self._loop(node)
        self._in_iterable = outer
        return node

    def _loop(self, node: Any) -> Any:
        self.generic_visit(node)
        helper = "iterate_async" if isinstance(node, ast.AsyncFor) or getattr(node, "is_async", False) else "iterate"
        if not isinstance(node.iter, (ast.Tuple, ast.List, ast.Constant)):
            node.iter = _stepped(helper, node.iter)
        return node

    visit_For = visit_AsyncFor = _loop  # noqa: N815  # ast's names

    def visit_YieldFrom(self, node: ast.YieldFrom) -> Any:
        node.value = _stepped("iterate", self.visit(node.value))
        return node

    def visit_Await(self, node: ast.Await) -> Any:
        node.value = _stepped("awaited", self.visit(node.value))
        return node

    def _with(self, node: Any) -> Any:
        self.generic_visit(node)
        helper = "entered_async" if isinstance(node, ast.AsyncWith) else "entered"
        for item in node.items:
            item.context_expr = _stepped(helper, item.context_expr)
        return node

    visit_With = visit_AsyncWith = _with  # noqa: N815  # ast's names


def _values_in(spec: ast.expr) -> bool:
    return isinstance(spec, ast.JoinedStr) and any(isinstance(piece, ast.FormattedValue) for piece in spec.values)


def _f_string_of(node: ast.BinOp) -> ast.JoinedStr | None:
    """The f-string that the compiler would make of a `%`."""
    template, values = node.left, node.right
    if (
        not isinstance(node.op, ast.Mod)
        or not isinstance(template, ast.Constant)
        or not isinstance(template.value, str)
        or not isinstance(values, ast.Tuple)
        or any(isinstance(value, ast.Starred) for value in values.elts)
    ):
        return None
    pieces = pieces_of(template.value)
    if pieces is None or sum(not isinstance(piece, str) for piece in pieces) != len(values.elts):
        return None
    rest = iter(values.elts)
    made: list[ast.expr] = []
    for piece in pieces:
        if isinstance(piece, str):
            made.append(_at(ast.Constant(piece), template))
        else:
            value = next(rest)
            spec = _at(ast.JoinedStr([_at(ast.Constant(piece[1]), value)]), value) if piece[1] else None
            made.append(_at(ast.FormattedValue(value, piece[0], spec), value))
    return _at(ast.JoinedStr(made), node)
