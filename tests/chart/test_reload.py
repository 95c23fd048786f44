"""images/reload.py, which restarts a service in the dev loops when its files change."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.chart.rendering import ROOT

APP = "import os, time\nwith open('starts', 'a') as file:\n    print(os.getpid(), file=file)\n"


def eventually(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "starts").touch()
    return tmp_path


@pytest.fixture
def loop(folder):
    """loop(source of the app) -> the process of reload.py, which runs it."""
    started = []

    def run(source):
        (folder / "app.py").write_text(source)
        command = [sys.executable, ROOT / "images" / "reload.py", sys.executable, "app.py"]
        started.append(subprocess.Popen(command, cwd=folder))
        return started[-1]

    yield run
    for process in started:
        process.terminate()
        process.wait(10)


def starts(folder):
    return [int(line) for line in (folder / "starts").read_text().split()]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_changed_file_restarts_the_process_and_a_stop_ends_it(folder, loop):
    process = loop(APP + "time.sleep(600)\n")
    eventually(lambda: len(starts(folder)) == 1)
    (folder / "other.py").write_text("")
    eventually(lambda: len(starts(folder)) == 2)
    first, second = starts(folder)
    assert not alive(first)
    assert alive(second)
    process.terminate()
    process.wait(10)
    assert not alive(second)
    assert len(starts(folder)) == 2


def test_a_process_that_ends_on_a_mistake_comes_back(folder, loop):
    loop(APP + "raise SystemExit(1)\n")
    eventually(lambda: len(starts(folder)) >= 2)
    (folder / "app.py").write_text(APP + "time.sleep(600)\n")
    eventually(lambda: alive(starts(folder)[-1]))


def test_without_a_command_it_says_how_it_is_called():
    done = subprocess.run([sys.executable, ROOT / "images" / "reload.py"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "usage: reload.py COMMAND" in done.stderr
