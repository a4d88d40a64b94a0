"""The import law: import-linter's contracts between the rooms, and walls around third-party libraries."""

import ast
import tomllib

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.contracts.test_tidy import CODE, ROOMS, ROOT, python_files, report, tree

# A library and the only places that may import it. Elsewhere one asks the room behind the wall, over the bus.
WALLS: dict[str, tuple[str, ...]] = {
    "paho": ("gateway", "simulators", "bench"),
    "chirpstack_api": ("gateway", "simulators"),
    "grpc": ("gateway", "simulators"),
    "quickjs": ("gateway", "simulators"),
    "river": ("analytics", "simulators", "bench"),
    "scipy": ("analytics", "simulators"),
    "celpy": ("analytics",),
    "dash": ("situation_center/app", "situation_center/screens"),
    "dash_mantine_components": ("situation_center/app", "situation_center/screens"),
    "dash_ag_grid": ("situation_center/app", "situation_center/screens"),
    "plotly": ("situation_center/app", "situation_center/screens"),
    "fastapi": ("situation_center/app", "situation_center/api", "gateway/protocols/http_push"),
    "geopandas": ("ingest/files", "situation_center/geo"),
    "psycopg": ("citynet", "ingest", "analytics", "situation_center", "bench"),
}
# Parts may be named in the kernel's command line, but only as strings: it starts them, it does not know them.
STANDARD_ONLY = ("tools/setup.py",)


def imported(file_tree: ast.Module) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for node in ast.walk(file_tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.lineno, str(node.module)))
    return found


def test_contracts_hold() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_every_room_is_under_the_law() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert tuple(settings["root_packages"]) == ROOMS


@pytest.mark.parametrize("library", WALLS)
def test_walls_hold(library: str) -> None:
    inside = WALLS[library]
    outside = [f for f in python_files(*CODE) if not str(f).startswith(inside)]
    names = [(f, line, name) for f in outside for line, name in imported(tree(f))]
    broken = [n for n in names if n[2] == library or n[2].startswith(library + ".")]
    report([f"{f}:{line} imports {name}; only {', '.join(inside)} may" for f, line, name in broken])


def test_set_up_needs_nothing_installed() -> None:
    import sys

    files = [f for f in python_files("tools") if str(f) in STANDARD_ONLY]
    names = [(f, line, name) for f in files for line, name in imported(tree(f))]
    report([f"{f}:{line} {name}" for f, line, name in names if name.partition(".")[0] not in sys.stdlib_module_names])
