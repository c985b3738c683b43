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

COMPONENTS = ("heart_operator", "heart_cli", "heart_trainer", "heart_serving")
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
    """Lines of each function, from its `def` to its end."""
    nodes = (node for path in known.values() for node in ast.walk(ast.parse(path.read_text())))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in functions]


def sideways(arrows: Imports) -> int:
    """Imports between components that stand beside each other."""
    pairs = ((name.partition(".")[0], other.partition(".")[0]) for name, found in arrows.items() for other in found)
    return sum(one != other and other in COMPONENTS for one, other in pairs)


def measure(root: Path) -> dict[str, str]:
    """The figures by their name."""
    known = modules(root)
    files = [path for path in known.values() if path.name != "__init__.py"]
    folders = Counter(path.parent for path in files)
    arrows, found = imports(known), lengths(known)
    return {
        "files (without `__init__`)": f"{len(files)}",
        "folders with code; files in the largest, in the median one": (
            f"{len(folders)}; {max(folders.values())}, {median(folders.values()):g}"
        ),
        "imports between components, sideways": f"{sideways(arrows)}",
        "imports between modules": f"{sum(map(len, arrows.values()))}",
        "longest chain of imports (floors)": f"{floors(arrows)}",
        "lines of a function: median, p90, maximum": f"{median(found):g}, {quantiles(found, n=10)[-1]:g}, {max(found)}",
    }


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    for name, figure in measure(root).items():
        print(f"| {name} | {figure} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
