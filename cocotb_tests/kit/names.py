"""Finds what has no name: in the Python sources of hardware, and in generated Verilog."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

#: What makes signals, by the name of the function, and the argument that names them.
_MAKERS = {"Signal": "name", "create": "path", "like": "name"}
_IDENTIFIER = r"(?:\\\S+|[A-Za-z_]\w*)"
_MODULE = re.compile(rf"^module ({_IDENTIFIER}) ?\((.*?)^endmodule$", re.MULTILINE | re.DOTALL)
_DECLARED = re.compile(
    rf"^  (input|output|inout|wire|reg) +(?:wire +|reg +)?(?:signed +)?(?:\[\d+:\d+\] +)?({_IDENTIFIER})", re.MULTILINE)
_INSTANCE = re.compile(rf"^  ({_IDENTIFIER}) +(?:#\(.*?\) +)?({_IDENTIFIER}) *\($", re.MULTILINE | re.DOTALL)
#: Words of the language that stand where the module of an instance would.
_KEYWORDS = {"function", "always", "initial", "if", "case", "casez", "module"}
#: An operand of an expression, which Yosys calls so; nobody could have named it.
_OPERAND = re.compile(r"_\d+_")
#: A name with a number of Amaranth, one that begins as no name of a person does, and that of a nameless submodule.
_MADE_UP = re.compile(r"\\?(_.*|.*\$.*|U(_\d+)?|.*\.U(_\d+)?(\..*)?)")


def in_source(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every place where a signal or a submodule gets no name.

    Amaranth reads the name of a signal from the assignment of which its call is the whole right side. Whatever else is
    done with the call loses it, unless the name is an argument. A function that hands `src_loc_at` on names what its
    caller assigns, so that the same holds for its calls.
    """
    tree = ast.parse(text)
    named, allowed = set(), set()
    makers = _MAKERS | {node.name: "name" for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and any(
        isinstance(inner, ast.keyword) and inner.arg == "src_loc_at" for inner in ast.walk(node))}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name() | ast.Attribute()], value=ast.Call() as call) \
                    | ast.AnnAssign(target=ast.Name() | ast.Attribute(), value=ast.Call() as call) \
                    | ast.NamedExpr(value=ast.Call() as call):
                named.add(call)
        match node:
            case ast.Call(func=ast.Name("isinstance" | "issubclass"), args=[_, kinds]):
                allowed |= set(ast.walk(kinds))
            case ast.Call(func=function):
                allowed.add(function)
            case ast.Attribute(value=value):
                allowed.add(value)
            case ast.arg(annotation=ast.AST() as annotation) | ast.AnnAssign(annotation=annotation) \
                    | ast.FunctionDef(returns=ast.AST() as annotation):
                allowed |= set(ast.walk(annotation))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(maker) | ast.Attribute(attr=maker), keywords=words) \
                    if maker in makers and node not in named and not any(
                        word.arg in (makers[maker], "src_loc_at") for word in words):
                yield node.lineno, ast.unparse(node)
            case ast.Name("Signal", ast.Load()) if node not in allowed:
                yield node.lineno, "Signal is no call"
            case ast.AugAssign(target=ast.Attribute(attr="submodules")):
                yield node.lineno, ast.unparse(node)


def in_sources(folder: Path) -> list[str]:
    """The same for every file in a folder and those below, as `file:line: text`."""
    return [f"{path.relative_to(folder)}:{line}: {what}" for path in sorted(folder.rglob("*.py"))
            for line, what in in_source(path.read_text())]


def in_verilog(verilog: str) -> list[str]:
    """Modules, ports, registers, memories, instances and signals without a name, as `module: kind name`."""
    out = []
    for module, body in _MODULE.findall(verilog):
        found = [("module", module), *_DECLARED.findall(body)]
        found += [("instance", name) for kind, name in _INSTANCE.findall(body) if kind not in _KEYWORDS]
        out += [f"{module}: {kind} {name}" for kind, name in found
                if _MADE_UP.fullmatch(name) and not (kind == "wire" and _OPERAND.fullmatch(name))]
    return out
