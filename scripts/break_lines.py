"""Do the tests notice broken code? Break one random operator or constant at a time and see.

    python scripts/break_lines.py --count 10 --seed 0

Works on a copy of the tree in a temporary folder. A mutant is caught when the tests fail or do not
end. Prints a line a mutant and how many were caught; a line that survives is a place to look at,
sometimes a harmless one (a tolerance, a text).
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SWAPS = {
    "<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "==", "+": "-", "-": "+",
    "*": "/", "/": "*", "and": "or", "or": "and", "True": "False", "False": "True",
    "min": "max", "max": "min", "not": "", "argmin": "argmax", "argmax": "argmin",
}  # fmt: skip


def candidates(path: Path) -> list[tuple[int, int, str, str]]:
    """(line, column, token, replacement) of everything in a file that can be broken."""
    found = []
    tokens = list(tokenize.generate_tokens(io.StringIO(path.read_text()).readline))
    for before, token in itertools.pairwise(tokens):
        line = token.line.strip()
        if line.startswith(("def ", "class ", "import ", "from ", "@", "__all__")):
            continue
        if token.string in SWAPS and not (token.string in "*" and before.string in "(,["):
            found.append((*token.start, token.string, SWAPS[token.string]))
        elif token.type == tokenize.NUMBER and token.string.isdigit():
            found.append((*token.start, token.string, str(int(token.string) + 1)))
    return found


def related(tree: Path, path: Path) -> list[str]:
    """The tests that mirror a file, and its own doctests: where a break should show first."""
    inside = path.relative_to(tree / "src" / "unmix")
    folder = tree / "tests" / inside.parts[0]
    found = [folder] if len(inside.parts) > 1 and folder.is_dir() else []
    stem = inside.parts[0].removesuffix(".py")
    found += sorted((tree / "tests").glob(f"test_{stem}*.py"))
    return [str(p) for p in [*found, path]]


def tests_fail(tree: Path, timeout: int, only: Sequence[str] = ()) -> str:
    """'' when the tests pass, else the line that says what failed."""
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "NUMBA_CACHE_DIR": tempfile.mkdtemp(dir=tree),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        *only,
    ]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return "did not end"
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return (failed or done.stdout.splitlines()[-1:] or ["crashed"])[0][:100]


def main() -> None:
    """Break, test, restore, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=int, default=600)
    options = parser.parse_args()
    tree = Path(tempfile.mkdtemp()) / "tree"
    skip = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", "demo")
    shutil.copytree(ROOT, tree, ignore=skip)
    files = sorted((tree / "src" / "unmix").rglob("*.py"))
    every = [(path, *where) for path in files for where in candidates(path)]
    caught = 0
    for path, line, column, old, new in random.Random(options.seed).sample(every, options.count):
        source = path.read_text()
        lines = source.splitlines(keepends=True)
        text = lines[line - 1]
        lines[line - 1] = text[:column] + new + text[column + len(old) :]
        path.write_text("".join(lines))
        why = tests_fail(tree, options.timeout, related(tree, path))
        why = why or tests_fail(tree, options.timeout)
        path.write_text(source)
        caught += bool(why)
        where = f"{path.relative_to(tree)}:{line}"
        print(f"{'caught' if why else 'SURVIVED':<9} {where}: {old} -> {new or '(nothing)'}"
              f" | {text.strip()[:70]} | {why}", flush=True)  # fmt: skip
    print(f"{caught} of {options.count} caught (seed {options.seed})")
    shutil.rmtree(tree.parent)


if __name__ == "__main__":
    main()
