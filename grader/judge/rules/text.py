"""What the text of a function says: forbidden names, look-ups that only a run can tell, machinery."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from grader.contract.assignment import Rules
from grader.judge.rules.names import forbidden
from grader.judge.rules.scope import Scope, outermost_names
from grader.judge.source import Reached, Texts
from grader.judge.syntax import Definition, assignments, dotted, meaning

# What finds something by a name that only a run can tell: functions, where they are called with such a name, ...
DYNAMIC = (
    *("eval", "exec", "compile", "__import__", "importlib.import_module", "getattr", "globals", "locals", "vars"),
    *("operator.attrgetter", "operator.methodcaller", "inspect.getmembers", "inspect.getattr_static"),
)
# ... and attributes, wherever they stand.
DYNAMIC_ATTRIBUTES = ("__dict__", "__getattribute__", "__globals__", "__builtins__", "__subclasses__", "f_globals")

# What can reach the counters of a trace, or run where they do not count.
MACHINERY = (
    *("torch.utils._python_dispatch", "torch.overrides", "torch._C", "torch.ops", "torch.library", "torch.jit"),
    *("torch.compile", "sys.settrace", "sys.setprofile", "sys._getframe", "sys._current_frames"),
    *("inspect.currentframe", "inspect.stack", "threading", "_thread", "concurrent.futures", "multiprocessing"),
    *("ctypes", "gc.get_objects", "gc.get_referrers", "gc.get_referents", "grader"),
)
_BEGIN = frozenset(name.partition(".")[0] for name in MACHINERY)


@dataclass(frozen=True)
class Use:
    """A name in the text of the submission, and where it stands."""

    name: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.name} ({self.file}, line {self.line})"


def forbidden_uses(texts: Texts, function: str, rules: Rules, stop: frozenset[str] = frozenset()) -> list[Use]:
    """The forbidden names that ``function`` mentions, or what it runs through inside the submission up to ``stop``."""
    uses = [use for reached in texts.reached(function, stop) for use in _uses(texts, reached, rules)]
    return sorted(set(uses), key=lambda use: (use.file, use.line, use.name))


def _names(texts: Texts, reached: Reached) -> list[tuple[ast.AST, Scope]]:
    """The names in a definition, with what names stand for there; its module's own definitions hide what it imports."""
    found = texts.names.get(reached.node)
    if found is None:
        module = reached.module
        scope = {name: target for name, target in module.aliases.items() if name not in module.definitions}
        found = texts.names[reached.node] = list(outermost_names(reached.node, scope))
    return found


def _uses(texts: Texts, reached: Reached, rules: Rules) -> Iterator[Use]:
    module = reached.module
    for node, names in _names(texts, reached):
        found = _forbidden_name(texts, reached, node, names, rules)
        if found:
            yield Use(found, module.file, getattr(node, "lineno", 0))
    for node in ast.walk(reached.node):
        if _asks_for_gradients(node) and forbidden("Tensor.requires_grad_", rules):
            yield Use("requires_grad", module.file, getattr(node, "lineno", 0) or node.value.lineno)  # type: ignore[attr-defined]


def _forbidden_name(texts: Texts, reached: Reached, node: ast.AST, names: Scope, rules: Rules) -> str | None:
    name = dotted(node) or ""
    head, dot, rest = name.partition(".")
    target = names.get(head, head)
    if target is not None:
        found = forbidden(target + dot + rest, rules)
        if found or head in names:
            return found
        own = texts.named(reached, name)
        if own and (not dot or isinstance(own.node, Definition | ast.Lambda)):
            return None
        starred = (forbidden(f"{star}.{name}", rules) for star in reached.module.stars)
        found = next(filter(None, starred), None)
        if found:
            return found
    if not dot or (head in ("self", "cls") and "." not in rest):
        return None
    # `x.norm` on a value that is no module: the rule's `Tensor.norm`.
    method = name.rpartition(".")[2]
    return None if method in _LIKE_OURS and method in texts.methods else forbidden(f"Tensor.{method}", rules)


# A layer's own `backward` is called as a tensor's is. Autograd is known by the gradients that it was asked for before.
_LIKE_OURS = ("backward",)


def _asks_for_gradients(node: ast.AST) -> bool:
    """``requires_grad=True`` as an argument or an assignment."""
    if isinstance(node, ast.keyword):
        asked = node.arg == "requires_grad"
    else:
        targets = [target for target, _ in assignments(node)]
        asked = any(isinstance(target, ast.Attribute) and target.attr == "requires_grad" for target in targets)
    value = getattr(node, "value", None)
    return asked and not (isinstance(value, ast.Constant) and not value.value)


def dynamic_uses(texts: Texts, function: str, stop: frozenset[str] = frozenset()) -> list[Use]:
    """Look-ups by names that only a run can tell (``eval``, ``getattr`` with a computed name): for staff to look at."""
    return [
        Use(name, reached.module.file, getattr(node, "lineno", 0))
        for reached in texts.reached(function, stop)
        for node in ast.walk(reached.node)
        for name in _dynamic_names(reached, node)
    ]


def _dynamic_names(reached: Reached, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and dotted(node) is None:
        name = meaning(reached.module.aliases, dotted(node.func) or "").removeprefix("builtins.")
        yield from [name] if name in DYNAMIC else ()
    elif isinstance(node, ast.Subscript) and dotted(node) is None:
        name = meaning(reached.module.aliases, dotted(node.value) or "")
        yield from [name] if name == "sys.modules" or name.endswith(".__dict__") else ()
    elif isinstance(node, ast.Attribute) and node.attr in DYNAMIC_ATTRIBUTES[1:]:
        yield node.attr


def machinery_uses(texts: Texts, function: str, stop: frozenset[str] = frozenset()) -> list[Use]:
    """Names of what can reach the counters of a trace, or work out of their sight: for staff to look at."""
    found = []
    for reached in texts.reached(function, stop):
        module = reached.module
        for node, names in _names(texts, reached):
            head, dot, rest = (dotted(node) or "").partition(".")
            meant = (names.get(head) or "") + dot + rest
            if meant.partition(".")[0] in _BEGIN and any(f"{meant}.".startswith(f"{name}.") for name in MACHINERY):
                found.append(Use(meant, module.file, getattr(node, "lineno", 0)))
    return found
