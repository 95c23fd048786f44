"""Tools that are built on demand: k6, buf and helm, from their Go modules into ~/.cache/eshop/bin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev.errors import StackError
from dev.layout import cache_folder
from dev.provision import Report

MODULES = {
    "k6": "go.k6.io/k6@v1.8.1",
    "buf": "github.com/bufbuild/buf/cmd/buf@v1.75.0",
    "helm": "helm.sh/helm/v3/cmd/helm@v3.22.0",
}


def find(name: str, report: Report) -> Path:
    """The tool's path: on PATH, built before, or built now (minutes)."""
    folder = cache_folder() / "bin"
    found = shutil.which(name) or shutil.which(name, path=str(folder))
    if found:
        return Path(found)
    go = shutil.which("go")
    if not go:
        raise StackError(f"{name} is not on PATH, and Go, which could build it, is not either: install {name} or Go")
    report(f"building {name} from {MODULES[name]} (a few minutes, once)")
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    command = [go, "install", "-trimpath", "-ldflags=-s -w", MODULES[name]]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise StackError(f"'go install {MODULES[name]}' failed: {run.stderr.strip().splitlines()[-1]}")
    return folder / name


def main() -> None:
    """Prints the path of the tool that is named, building it where it is missing."""
    try:
        sys.stdout.write(f"{find(sys.argv[1], lambda step: print(step, file=sys.stderr))}\n")
    except StackError as error:
        sys.exit(str(error))
    except (IndexError, KeyError):
        sys.exit(f"python -m dev.tools {'|'.join(MODULES)}")


if __name__ == "__main__":
    main()
