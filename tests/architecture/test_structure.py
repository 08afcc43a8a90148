"""The layout: unique class names, small folders, no import circle, docstrings, no dead code."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final, TypeAlias, TypeGuard

from .source import PACKAGES, ROOT, imports, modules, relative, syntax_tree

MAX_MODULES: Final = 24
"""In one folder, ``__init__.py`` included."""
UNDOCUMENTED: Final = ("overload", "override", "property", ".setter")
"""Decorators of definitions that need no docstring: a property is named for what it is."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def test_no_class_name_is_declared_twice() -> None:
    """A name leads to one class."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in modules().values():
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{relative(path)}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_folder_has_too_many_modules() -> None:
    """Beyond that a folder gets sub-packages."""
    sizes = Counter(relative(path.parent) for path in modules().values())
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}


def test_no_import_circle() -> None:
    """Imports form no circle, those inside functions and for types included."""
    graph = {name: set(imports(name)) - {name} for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        raise AssertionError(" <- ".join(circle)) from None


def test_public_names_have_docstrings() -> None:
    """Every public module, class, function and method says what a caller needs."""
    assert [place for path in modules().values() for place in _undocumented(path)] == []


def test_no_dead_code() -> None:
    """Every function, class, constant and method is used somewhere beside its definition."""
    used: set[str] = set()
    for package in (*PACKAGES, "tests"):
        for path in (ROOT / package).rglob("*.py"):
            used.update(_used_names(syntax_tree(path)))
    unused = [
        f"{relative(path)}: {name}"
        for path in modules().values()
        for name in _defined_names(syntax_tree(path))
        if name not in used and not name.startswith("__")
    ]
    assert unused == []


def _undocumented(path: Path) -> Iterator[str]:
    tree = syntax_tree(path)
    if tree.body and path.name != "__init__.py" and ast.get_docstring(tree) is None:
        yield relative(path)
    for node in tree.body:
        if _lacks_docstring(node):
            yield f"{relative(path)}:{node.lineno} {node.name}"
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for member in node.body:
                if _lacks_docstring(member) and not _overrides(node, member.name):
                    yield f"{relative(path)}:{member.lineno} {node.name}.{member.name}"


def _lacks_docstring(node: ast.stmt) -> TypeGuard[Definition]:
    if not isinstance(node, Definition) or node.name.startswith("_") or ast.get_docstring(node) is not None:
        return False
    return not any(ast.unparse(decorator).endswith(UNDOCUMENTED) for decorator in node.decorator_list)


def _overrides(node: ast.ClassDef, member: str) -> bool:
    """Whether a base class defines the member: it is documented there. So are bases of other libraries."""
    for base in node.bases:
        name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
        if name not in _classes():
            if name not in ("object", "Protocol", "Generic", "Exception", "Enum", "StrEnum"):
                return True
            continue
        parent = _classes()[name]
        if any(isinstance(each, Definition) and each.name == member for each in parent.body):
            return True
        if _overrides(parent, member):
            return True
    return False


@cache
def _classes() -> dict[str, ast.ClassDef]:
    return {
        node.name: node
        for path in modules().values()
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.ClassDef)
    }


def _defined_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.ClassDef():
                yield node.name
                for member in node.body:
                    if isinstance(member, Function) and not _overrides(node, member.name):
                        yield member.name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if not node.decorator_list:
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case _:
                pass


def _used_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                yield name
            case ast.Attribute(attr=name):
                yield name
            case ast.ImportFrom(names=names):
                yield from (alias.name for alias in names)
            case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.:\[\]]+", text):
                # Annotations in quotes, and names that tests replace.
                yield from re.findall(r"\w+", text)
            case _:
                pass
