"""Rules about the tree itself, which no single module can keep alone."""

import ast
import re
import subprocess
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 300
SIGNS_OF_A_WORKPLACE = re.compile(
    # a path of one machine: a home (x is nobody), or where checkouts and packages are kept
    r"/root/|/home/(?!x\b)\w|/tmp/\w|(?<![\w.])/(work|workspaces?|builds?|Users|mnt|opt)/\w"
    r"|\b(claude|anthropic|chatgpt|openai|copilot)\b"
    r"|\b(co-authored-by|generated with)\b",
    re.IGNORECASE,
)
PLACES_TO_DOWNLOAD_FROM = re.compile(
    r"://|--(extra-)?index|--find-links|--trusted-host|^-[if]\b", re.MULTILINE
)


def tracked_files():
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def source_files():
    return sorted(SOURCE.rglob("*.py"))


def text_of(path):
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def long_functions(source):
    functions = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    for node in functions:
        lines = node.end_lineno - node.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield f"{node.name} ({lines} lines)"


def imported_packages(source):
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name.split(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.split(".")[0]


def declared(*sets):
    lines = [
        line
        for name in sets
        for line in (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_long_function_is_noticed():
    # 1 def line + 50 statements = 51 lines, one too many
    assert list(long_functions("def f():\n" + "    pass\n" * 50)) == ["f (51 lines)"]
    assert list(long_functions("def f():\n" + "    pass\n" * 49)) == []


@pytest.mark.slow
def test_no_function_is_over_fifty_lines():
    found = {
        str(path.relative_to(ROOT)): names
        for path in source_files()
        if (names := list(long_functions(path.read_text())))
    }
    assert found == {}


def test_no_source_file_is_over_three_hundred_lines():
    lengths = {path: len(path.read_text().splitlines()) for path in source_files()}
    assert lengths, "no source files found"
    assert [str(path) for path, lines in lengths.items() if lines > MAX_FILE_LINES] == []


def test_every_package_says_in_one_line_what_it_is_for():
    packages = [path for path in source_files() if path.name == "__init__.py"]
    silent = [str(path) for path in packages if not ast.get_docstring(ast.parse(path.read_text()))]
    assert packages
    assert silent == []


def test_every_source_folder_with_modules_is_a_package():
    # Alembic loads its versions by path
    folders = {path.parent for path in source_files() if path.parent.name != "versions"}
    folders -= {SOURCE}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.slow
def test_every_third_party_import_is_declared():
    distributions = packages_distributions()
    wanted = declared("runtime", "devnet")
    missing = {
        (package, str(path.relative_to(ROOT)))
        for path in source_files()
        for package in imported_packages(path.read_text())
        if package in distributions and package != "holdfast"
        if not {canonicalize_name(name) for name in distributions[package]} & wanted
    }
    assert missing == set()


def test_every_declared_requirement_is_used():
    # by name rather than by import statement: some packages are looked up when they are needed
    words = {word for path in source_files() for word in re.findall(r"\w+", path.read_text())}
    names = {}
    for package, distributions in packages_distributions().items():
        for distribution in distributions:
            names.setdefault(canonicalize_name(distribution), set()).add(package)
    unused = {name for name in declared("runtime", "devnet") if not names[name] & words}
    assert unused == set()


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").iterdir()), ids=lambda p: p.name)
def test_requirement_file_names_no_place_to_download_from(path):
    text = path.read_text()
    assert text.strip()
    assert PLACES_TO_DOWNLOAD_FROM.search(text) is None


@pytest.mark.parametrize(
    "path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name
)
def test_every_pin_is_exact_and_hashed(path):
    entries = re.split(r"\n(?=\S)", path.read_text())
    pins = [entry for entry in entries if not entry.startswith("#")]
    assert pins
    assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_every_requirement_set_is_compiled():
    folder = ROOT / "requirements"
    assert {p.stem for p in folder.glob("*.in")} == {p.stem for p in folder.glob("*.txt")}


def test_every_declared_requirement_is_pinned():
    pinned = {
        canonicalize_name(match)
        for path in (ROOT / "requirements").glob("*.txt")
        for match in re.findall(r"^([A-Za-z0-9._-]+)==", path.read_text(), re.MULTILINE)
    }
    assert declared("build", "runtime", "devnet", "dev") - pinned == set()


def test_every_decision_record_is_listed_and_complete():
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    records = sorted(folder.glob("[0-9]*.md"))
    assert records
    assert [record.name for record in records if f"({record.name})" not in index] == []
    for record in records:
        text = record.read_text()
        for heading in ("## Context", "## Decision", "## Consequences", "## Exit"):
            assert heading in text, f"{record.name} lacks {heading}"


def test_every_link_between_documents_leads_somewhere():
    documents = [path for path in tracked_files() if path.suffix == ".md"]
    assert documents
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_no_file_tells_where_or_by_what_it_was_written():
    this = Path(__file__).resolve()
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked_files()
        if path != this and (match := SIGNS_OF_A_WORKPLACE.search(text_of(path)))
    }
    assert found == set()
