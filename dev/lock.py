"""Pins all dependencies with hashes: `python -m dev.lock` after a change of pyproject.toml.

requirements.lock is what images install; requirements-dev.lock adds what tests and checks need, at the same versions.
"""

from __future__ import annotations

import subprocess
import sys
import venv

from dev.errors import StackError
from dev.layout import ROOT, cache_folder

COMPILE = ("pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", "--generate-hashes")
PLAIN = ("--no-emit-index-url", "--no-header", "-q")


def main() -> None:
    folder = cache_folder() / "uv"
    uv = folder / "bin" / "uv"
    if not uv.exists():
        venv.create(folder, with_pip=True)
        _run(str(folder / "bin" / "pip"), "install", "-q", "uv")
    _run(str(uv), *COMPILE, *PLAIN, "-o", "requirements.lock")
    _run(str(uv), *COMPILE, *PLAIN, "--extra", "dev", "-c", "requirements.lock", "-o", "requirements-dev.lock")


def _run(*command: str) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise StackError(f"'{' '.join(command[:3])} …' failed")


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(str(error))
