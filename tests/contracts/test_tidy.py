"""House rules that a machine can check: sizes, idioms, dead files. A number in the table may only go down."""

import ast
import gc
import re
import statistics
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("citynet", "gateway", "ingest", "analytics", "situation_center", "simulators")
CODE = (*ROOMS, "bench", "tools")

LIMITS = {
    "function lines, median": 8,
    "function lines, 90th percentile": 25,
    "function lines, longest": 70,
    "file lines, median": 100,
    "file lines, longest": 500,
    "positional parameters": 3,
}
# The one broad except of a part lives in its shell, which counts and logs.
BROAD_EXCEPT: dict[str, int] = {
    "citynet/supervisor.py": 1,
    "gateway/bridge/carrier.py": 1,
    "gateway/decoding.py": 1,
    "gateway/own_devices.py": 1,
    "simulators/mqtt.py": 1,
}
# Signatures that a library calls by position.
FIXED_BY_LIBRARY = {"simulators/mqtt.py": {"_connected", "_published"}}
PRINTING = ("citynet/cli.py", "citynet/commands/", "bench/", "tools/")
WAITING = ("tests/conftest.py", "tests/support/")
# Plugins are found by walking their package; nobody imports them by name.
WALKED = (
    "gateway/protocols",
    "gateway/devices",
    "analytics/detectors",
    "analytics/forecasters",
    "analytics/balances",
    "ingest/files",
    "situation_center/screens",
    "situation_center/reactions",
)
TEXT = {".py", ".sql", ".md", ".toml", ".yml", ".yaml", ".js", ".css", ".sh", ".example", ""}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def project_files() -> list[Path]:
    """Return every file that is or may be committed, relative to the checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    return sorted(Path(name) for name in set(names) if (ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    return [f for f in project_files() if f.suffix == ".py" and f.parts[0] in folders]


@cache
def source(file: Path) -> str:
    return (ROOT / file).read_text()


@cache
def tree(file: Path) -> ast.Module:
    # CPython 3.11 miscounts its recursion depth when a finaliser runs while a tree is built.
    gc.disable()
    try:
        return ast.parse(source(file), str(file))
    finally:
        gc.enable()


def functions(*folders: str) -> Iterator[tuple[Path, Function]]:
    for file in python_files(*folders):
        for node in ast.walk(tree(file)):
            if isinstance(node, Function):
                yield file, node


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def calls(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def report(found: list[str]) -> None:
    __tracebackhide__ = True
    if found:
        pytest.fail("\n  ".join(["", *found]), pytrace=False)


def test_functions_are_short() -> None:
    sizes = sorted(body_lines(function) for _, function in functions(*CODE))
    assert statistics.median(sizes) <= LIMITS["function lines, median"]
    assert sizes[int(len(sizes) * 0.9)] <= LIMITS["function lines, 90th percentile"]


def test_no_function_is_long() -> None:
    limit = LIMITS["function lines, longest"]
    long = [(f, n, body_lines(n)) for f, n in functions(*CODE, "tests") if body_lines(n) > limit]
    report([f"{f}:{n.lineno} {n.name} has {lines} lines, limit {limit}" for f, n, lines in long])


def test_files_are_short() -> None:
    sizes = {f: source(f).count("\n") for f in python_files(*CODE, "tests")}
    assert statistics.median(sizes.values()) <= LIMITS["file lines, median"]
    limit = LIMITS["file lines, longest"]
    report([f"{f} has {lines} lines, limit {limit}" for f, lines in sizes.items() if lines > limit])


def is_fixed(file: Path, function: Function) -> bool:
    """Dash passes the inputs of a callback by position, and so do the libraries of the table."""
    dash = any("callback" in ast.unparse(decorator) for decorator in function.decorator_list)
    return dash or function.name in FIXED_BY_LIBRARY.get(str(file), ())


def positional(function: Function) -> list[str]:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    return [n for n in names if n not in {"self", "cls"}]


def test_more_parameters_are_named() -> None:
    limit = LIMITS["positional parameters"]
    wide = [(f, n) for f, n in functions(*CODE) if len(positional(n)) > limit and not is_fixed(f, n)]
    report([f"{f}:{n.lineno} {n.name}: more than {limit} parameters, make the rest keyword-only" for f, n in wide])


def test_a_module_says_what_it_is_for() -> None:
    silent = [f for f in python_files(*CODE, "tests") if source(f).strip() and not ast.get_docstring(tree(f))]
    report([f"{f}: no module docstring" for f in silent])
    docs = {f: ast.get_docstring(tree(f)) or "" for f in python_files(*CODE, "tests")}
    report([f"{f}: docstring of more than 3 lines" for f, text in docs.items() if len(re.findall(r"\S.*", text)) > 3])


def test_only_commands_print() -> None:
    files = [f for f in python_files(*CODE) if not str(f).startswith(PRINTING)]
    report([f"{f}:{line} print: use the log" for f in files for line, name in calls(f) if name == "print"])


def test_tests_wait_for_something_not_for_a_time() -> None:
    files = [f for f in python_files("tests") if not str(f).startswith(WAITING)]
    sleeping = {"time.sleep", "asyncio.sleep", "sleep"}
    report([f"{f}:{line} {name}" for f in files for line, name in calls(f) if name in sleeping])


def test_no_drawer_for_everything() -> None:
    report([str(f) for f in project_files() if f.stem in {"utils", "util", "helpers", "misc", "common"}])


def is_broad(handler: ast.ExceptHandler) -> bool:
    caught = ast.unparse(handler.type) if handler.type else "Exception"
    return bool(re.search(r"\b(Base)?Exception\b", caught))


def test_one_broad_except_a_part() -> None:
    broad: dict[str, int] = {}
    for file in python_files(*ROOMS):
        count = sum(isinstance(n, ast.ExceptHandler) and is_broad(n) for n in ast.walk(tree(file)))
        broad |= {str(file): count} if count else {}
    too_many = {f: n for f, n in broad.items() if n > BROAD_EXCEPT.get(f, 0)}
    report([f"{f}: {n} broad excepts, allowed {BROAD_EXCEPT.get(f, 0)}" for f, n in too_many.items()])
    report([f"{f}: allows more than it needs" for f, n in BROAD_EXCEPT.items() if broad.get(f, 0) < n])


# Written in two halves, so that this file does not find itself.
BANNED = {
    "unfinished work": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b"),
    "path of one machine": re.compile(r"(?<![\w.])/(ho" + r"me|Us" + r"ers|ro" + r"ot|wo" + r"rk)/"),
}


@pytest.mark.parametrize("rule", BANNED)
def test_no_banned_words(rule: str) -> None:
    pattern = BANNED[rule]
    files = [f for f in project_files() if f.suffix in TEXT and f.name not in {"LICENSE", "uv.lock"}]
    lines = [(f, i, line) for f in files for i, line in enumerate(source(f).splitlines(), 1) if pattern.search(line)]
    report([f"{f}:{i} {line.strip()[:90]}" for f, i, line in lines])


LOCKS = {
    "uv.lock": {"pypi.org", "files.pythonhosted.org"},
    "situation_center/web/package-lock.json": {"registry.npmjs.org"},
}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_name_public_registries_only(name: str) -> None:
    keys = r'(?:registry = |url = |"resolved": )"\w+://([^/"]*)'
    assert set(re.findall(keys, source(Path(name)))) <= LOCKS[name]


def names_used(file: Path) -> Iterator[str]:
    """Every dotted name that a file imports or mentions in a string (parts are started by name)."""
    package = ".".join(file.with_suffix("").parts[:-1])
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = f"{package}.{node.module}" if node.level else str(node.module)
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]


def entry_points() -> set[str]:
    project = tomllib.loads(source(Path("pyproject.toml")))["project"]
    groups = (project["scripts"], *project["entry-points"].values())
    return {target.partition(":")[0] for group in groups for target in group.values()}


def test_no_dead_files() -> None:
    used = entry_points()
    for file in python_files(*CODE, "tests"):
        used |= set(names_used(file)) - {".".join(file.with_suffix("").parts)}
    modules = [f for f in python_files(*ROOMS) if f.name not in {"__init__.py", "__main__.py"}]
    plain = [f for f in modules if str(f.parent) not in WALKED]
    report([f"{f}: nobody imports it" for f in plain if ".".join(f.with_suffix("").parts) not in used])
