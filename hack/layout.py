"""Figures of the layout, as decision 12 shows them: `python -m hack.layout [CHECKOUT]`.

Files without `__init__`, folders, imports between modules, the longest chain of imports, and the lines of functions.
Reads the sources and imports nothing of them.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

SOURCES = ("common/src", "operator/src", "serving/src", "trainer/src")
Imports = Mapping[str, set[str]]
"""Module → modules that it imports, of these sources alone."""


def modules(root: Path) -> dict[str, Path]:
    """Files by the name that they are imported by."""
    found = {}
    for source in (root / folder for folder in SOURCES):
        for path in sorted(source.rglob("*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def targets(tree: ast.AST, known: Mapping[str, Path]) -> Iterator[str]:
    """What a file imports; a name may be a module of a package or what a module holds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in within if node.module in known)


def imports(known: Mapping[str, Path]) -> dict[str, set[str]]:
    return {name: set(targets(ast.parse(path.read_text()), known)) - {name} for name, path in known.items()}


def floors(arrows: Imports) -> int:
    """Modules in the longest chain in which each imports the next."""
    height: dict[str, int] = {}
    for name in TopologicalSorter(arrows).static_order():
        height[name] = 1 + max((height[below] for below in arrows[name]), default=0)
    return max(height.values())


def lengths(known: Mapping[str, Path]) -> list[int]:
    """Lines of each function from its `def` to its end, without decorators, docstring and what is nested in it."""
    found = []
    for path in known.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append(lines(node))
    return found


def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno
    return node.end_lineno - node.lineno + 1
