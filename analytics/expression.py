"""The rule language: CEL text -> lark tree (cel-python) -> checked numpy function over the objects of a class."""

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, Protocol

import numpy as np
from celpy.celparser import CELParseError, CELParser
from lark import Token, Tree
from lark.exceptions import LarkError

from analytics.columns import Floats
from analytics.windows import How
from citynet.errors import BadInput

TEXT_LIMIT, DEPTH_LIMIT, NODE_LIMIT = 1_000, 24, 120
WINDOW_S_MIN, WINDOW_S_MAX = 30, 7 * 86_400
UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
WRAPPERS = {
    "expr", "conditionalor", "conditionaland", "relation", "addition",
    "multiplication", "unary", "member", "primary", "paren_expr",
}  # fmt: skip
Kind = Literal["number", "truth", "text"]
Function = Literal["value", "score", "window", "rate", "nodata"]


class Source(Protocol):
    """Where an expression reads: one cell an object; NaN = unknown."""

    def value(self, quantity: str) -> Floats:
        """Newest value of the quantity."""

    def score(self, quantity: str) -> Floats:
        """How unusual that value was, in robust standard deviations."""

    def window(self, quantity: str, seconds: int, how: How) -> Floats:
        """Aggregate over the last seconds of event time."""

    def rate(self, quantity: str) -> Floats:
        """Change per hour between the last two values."""

    def nodata(self) -> Floats:
        """Expected intervals since the object was last heard."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """Something an expression reads from its objects."""

    function: Function
    quantity: str = ""
    seconds: int = 0
    how: How = "last"

    def read(self, source: Source) -> Floats:
        """The cells of the leaf."""
        if self.function == "nodata":
            return source.nodata()
        if self.function == "window":
            return source.window(self.quantity, self.seconds, self.how)
        read: Callable[[str], Floats] = getattr(source, self.function)
        return read(self.quantity)


@dataclass(frozen=True, slots=True)
class Code:
    """A checked part of an expression. Truth is 1, 0 or NaN (unknown); run never raises."""

    kind: Kind
    run: Callable[[Source], Floats]
    literal: Any = None


def _unknown(a: Floats, b: Floats) -> Any:
    return np.isnan(a) | np.isnan(b)


def _compare(symbol: str) -> Callable[[Floats, Floats], Floats]:
    compare: Callable[[Floats, Floats], Any] = {
        "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
        "eq": np.equal, "ne": np.not_equal,
    }[symbol]  # fmt: skip
    return lambda a, b: np.where(_unknown(a, b), np.nan, compare(a, b))


def _arithmetic(symbol: str) -> Callable[[Floats, Floats], Floats]:
    function: Callable[[Floats, Floats], Any] = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "mod": np.fmod,
    }[symbol]  # fmt: skip

    def run(a: Floats, b: Floats) -> Floats:
        with np.errstate(all="ignore"):
            result = function(a, b)
        return np.where(np.isfinite(result), result, np.nan)

    return run


def _and(a: Floats, b: Floats) -> Floats:
    return np.where((a == 0) | (b == 0), 0.0, a * b)


def _or(a: Floats, b: Floats) -> Floats:
    return np.where((a == 1) | (b == 1), 1.0, np.where(_unknown(a, b), np.nan, 0.0))


def _joined(left: Code, right: Code, function: Callable[[Floats, Floats], Floats]) -> Callable[[Source], Floats]:
    return lambda source: function(left.run(source), right.run(source))


def refuse(detail: str) -> NoReturn:
    """Raise the error of a rule that cannot be used; the text tells the author what to change."""
    raise BadInput("bad_rule", detail)


def seconds_of(text: str) -> int:
    """15m -> 900. Raises BadInput."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        refuse(f'"{text}" is no duration: write for example "90s", "15m", "2h" or "7d"')
    seconds = int(found[1]) * UNIT_S[found[2]]
    if not WINDOW_S_MIN <= seconds <= WINDOW_S_MAX:
        refuse(f'a window of "{text}" is out of range: use 30s to 7d')
    return seconds


@dataclass
class Compiler:
    """Builds Code from a tree, checks names and types, notes what is read in the order of the text."""

    quantities: Collection[str]
    leaves: list[Leaf] = field(default_factory=list)
    nodes: int = 0

    def build(self, tree: Tree[Token] | Token, depth: int = 0) -> Code:
        """Code of a tree. Raises BadInput."""
        self.nodes += 1
        if depth > DEPTH_LIMIT or self.nodes > NODE_LIMIT:
            refuse("the expression is too deep or too long: split it into several rules")
        while isinstance(tree, Tree) and tree.data in WRAPPERS and len(tree.children) == 1:
            tree = tree.children[0]
        if isinstance(tree, Token):
            refuse(f"{tree} is not expected here")
        builder = getattr(self, f"_{tree.data}", None)
        if builder is None:
            refuse(f"{str(tree.data).replace('_', ' ')} is not part of the rule language: see docs/reference/rules.md")
        code: Code = builder(tree, depth + 1)
        return code

    def _parts(self, tree: Tree[Token], depth: int, kind: Kind) -> list[Code]:
        parts = [self.build(child, depth) for child in tree.children]
        for part in parts:
            self._want(part, kind)
        return parts

    def _want(self, code: Code, kind: Kind) -> None:
        if code.kind != kind:
            refuse(f"a {kind} is needed where a {code.kind} stands")

    def _expr(self, tree: Tree[Token], depth: int) -> Code:
        condition, yes, no = (self.build(child, depth) for child in tree.children)
        self._want(condition, "truth")
        self._want(no, yes.kind)

        def run(source: Source) -> Floats:
            test = condition.run(source)
            return np.where(np.isnan(test), np.nan, np.where(test == 1, yes.run(source), no.run(source)))

        return Code(yes.kind, run)

    def _conditionalor(self, tree: Tree[Token], depth: int) -> Code:
        left, right = self._parts(tree, depth, "truth")
        return Code("truth", _joined(left, right, _or))

    def _conditionaland(self, tree: Tree[Token], depth: int) -> Code:
        left, right = self._parts(tree, depth, "truth")
        return Code("truth", _joined(left, right, _and))

    def _relation(self, tree: Tree[Token], depth: int) -> Code:
        symbol, left, right = self._operands(tree, depth)
        if symbol == "in":
            refuse("in is not part of the rule language: write a == 1 || a == 2")
        if symbol not in ("eq", "ne"):
            self._want(left, "number")
        if left.kind == "text":
            refuse("texts cannot be compared")
        self._want(right, left.kind)
        return Code("truth", _joined(left, right, _compare(symbol)))

    def _addition(self, tree: Tree[Token], depth: int) -> Code:
        return self._arithmetic(tree, depth)

    def _multiplication(self, tree: Tree[Token], depth: int) -> Code:
        return self._arithmetic(tree, depth)

    def _arithmetic(self, tree: Tree[Token], depth: int) -> Code:
        symbol, left, right = self._operands(tree, depth)
        self._want(left, "number")
        self._want(right, "number")
        if symbol in ("div", "mod") and right.literal == 0:
            refuse("the expression divides by zero")
        return Code("number", _joined(left, right, _arithmetic(symbol)))

    def _operands(self, tree: Tree[Token], depth: int) -> tuple[str, Code, Code]:
        first, second = tree.children
        assert isinstance(first, Tree)
        left = first.children[0]
        return str(first.data).rpartition("_")[2], self.build(left, depth), self.build(second, depth)

    def _unary(self, tree: Tree[Token], depth: int) -> Code:
        sign, operand = tree.children
        assert isinstance(sign, Tree)
        code = self.build(operand, depth)
        if sign.data == "unary_not":
            self._want(code, "truth")
            return Code("truth", lambda source: 1.0 - code.run(source))
        self._want(code, "number")
        return Code("number", lambda source: -code.run(source))

    def _literal(self, tree: Tree[Token], depth: int) -> Code:
        token = tree.children[0]
        assert isinstance(token, Token)
        if token.type == "STRING_LIT" and token[0] in "'\"":
            text = str(token)[1:-1]
            return Code("text", lambda source: np.array(np.nan), text)
        if token.type not in ("INT_LIT", "FLOAT_LIT", "BOOL_LIT"):
            refuse(f"{token} is not part of the rule language: use numbers, true and false")
        if token.type == "BOOL_LIT":
            truth = np.array(1.0 if token.value.startswith("t") else 0.0)
            return Code("truth", lambda source: truth)
        number = float(int(token, 0)) if "x" in token.lower() else float(token)
        if not np.isfinite(number):
            refuse(f"{token} is too large")
        return Code("number", lambda source: np.array(number), number)

    def _ident(self, tree: Tree[Token], depth: int) -> Code:
        return self._leaf(Leaf("value", self._quantity(str(tree.children[0]))))

    def _quantity(self, name: str) -> str:
        if name not in self.quantities:
            near = difflib.get_close_matches(name, self.quantities, 1)
            refuse(f"unknown quantity {name}" + (f": did you mean {near[0]}?" if near else ""))
        return name

    def _leaf(self, leaf: Leaf) -> Code:
        self.leaves.append(leaf)
        return Code("number", leaf.read)

    def _ident_arg(self, tree: Tree[Token], depth: int) -> Code:
        name, arguments = str(tree.children[0]), tree.children[1:]
        given = arguments[0].children if arguments and isinstance(arguments[0], Tree) else []
        call = {"score": self._of_quantity, "rate": self._of_quantity, "nodata": self._nodata, "window": self._window}
        if name == "abs":
            return self._abs(given, depth)
        if name not in call:
            refuse(f"unknown function {name}(): there are score, rate, nodata, window and abs")
        return call[name](name, given, depth)

    def _abs(self, given: list[Any], depth: int) -> Code:
        if len(given) != 1:
            refuse("abs() takes one number: abs(score(water_flow))")
        code = self.build(given[0], depth)
        self._want(code, "number")
        return Code("number", lambda source: np.abs(code.run(source)))

    def _of_quantity(self, name: str, given: list[Any], depth: int) -> Code:
        if len(given) != 1:
            refuse(f"{name}() takes one quantity: {name}(water_flow)")
        return self._leaf(Leaf("score" if name == "score" else "rate", self._name(given[0])))

    def _nodata(self, name: str, given: list[Any], depth: int) -> Code:
        if given:
            refuse("nodata() takes nothing")
        return self._leaf(Leaf("nodata"))

    def _window(self, name: str, given: list[Any], depth: int) -> Code:
        if len(given) != 3:
            refuse('window() takes a quantity, a duration and an aggregate: window(pm10, "20m", "mean")')
        quantity = self._name(given[0])
        span, how = (self.build(argument, depth) for argument in given[1:])
        self._want(span, "text")
        if how.literal not in ("mean", "max", "min", "last"):
            refuse("the aggregate of window() is mean, max, min or last")
        return self._leaf(Leaf("window", quantity, seconds_of(span.literal), how.literal))

    def _name(self, tree: Any) -> str:
        while isinstance(tree, Tree) and tree.data in WRAPPERS and len(tree.children) == 1:
            tree = tree.children[0]
        if not (isinstance(tree, Tree) and tree.data == "ident"):
            refuse("a quantity is needed as the first argument, not an expression")
        return self._quantity(str(tree.children[0]))


def compile_text(text: str, quantities: Collection[str]) -> tuple[Code, list[Leaf]]:
    """The condition that text says, and what it reads. Raises BadInput with words for the author."""
    if len(text) > TEXT_LIMIT:
        refuse(f"the expression has {len(text)} characters, the limit is {TEXT_LIMIT}")
    try:
        tree = CELParser().parse(text)
    except (CELParseError, LarkError) as error:
        column = getattr(error, "column", None) or len(text) + 1
        refuse(f"the expression cannot be read at character {column}: {text[max(0, column - 1) :][:20] or 'its end'}")
    compiler = Compiler(quantities)
    code = compiler.build(tree)
    if code.kind != "truth":
        refuse(f"the expression gives a {code.kind}; a condition such as water_flow > 10 is needed")
    if not compiler.leaves:
        refuse("the expression reads no quantity")
    return code, compiler.leaves
