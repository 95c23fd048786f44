"""Passwords of one stack: made once, kept in files that only their owner can read, handed to each process as a folder.

A process finds in ESHOP_SECRETS_DIR what it needs and nothing else. No password stands on a command line or in a log.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path


class Passwords:
    """The passwords under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str) -> str:
        """The password of that name; made at the first call."""
        path = self.folder / name
        try:
            return path.read_text()
        except FileNotFoundError:
            write_private(path, secrets.token_urlsafe(24))
            return path.read_text()

    def handed_to(self, process: str, files: Mapping[str, str]) -> Path:
        """The folder ESHOP_SECRETS_DIR of a process: each file holds one password."""
        folder = self.folder / "handed" / process
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stale in {path.name for path in folder.iterdir()} - files.keys():
            (folder / stale).unlink()
        for name, password in files.items():
            write_private(folder / name, password)
        return folder


def write_private(path: Path, text: str) -> None:
    """Writes a file for its owner alone, all of it or nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
