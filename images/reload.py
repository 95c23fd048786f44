"""Runs a command and starts it anew when a Python file under the working folder changes: python reload.py COMMAND…

For the dev loops of skaffold and tilt, which copy files into a running container. Only the standard library.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

PERIOD_SECONDS = 0.5


def stamps() -> dict[Path, int]:
    """Time of change of each source file, in nanoseconds."""
    found = {}
    for path in Path.cwd().rglob("*.py"):
        try:
            found[path] = path.stat().st_mtime_ns
        except FileNotFoundError:  # replaced while we look
            found[path] = 0
    return found


def main() -> int:
    command = sys.argv[1:]
    if not command:
        raise SystemExit("usage: reload.py COMMAND…")
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    seen, process = stamps(), subprocess.Popen(command)
    while not stopping:
        time.sleep(PERIOD_SECONDS)
        now = stamps()
        if now == seen and (process.poll() is None or not now):
            continue
        if now == seen:
            time.sleep(1)  # it ended by itself, perhaps on a mistake in the file being edited
        process.terminate()
        process.wait()
        seen, process = now, subprocess.Popen(command)
    process.terminate()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
