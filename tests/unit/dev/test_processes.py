"""Processes are found again by what no other process has, and never confused with a later one of the same number."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from dev.errors import StackError
from dev.processes import Processes, Program, identity

SLEEP = (sys.executable, "-c", "import time; print('awake', flush=True); time.sleep(60)")
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
)


@pytest.fixture
def processes(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "logs").mkdir()
    found = Processes(tmp_path / "run", tmp_path / "logs")
    yield found
    for name in found.names():
        found.kill(name)


def wait_for_words(processes, name, words):
    deadline = time.monotonic() + 10
    while words not in processes.last_words(name):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_started_process_is_found_by_another_command(processes, tmp_path):
    assert processes.start(Program("sleeper", SLEEP))
    wait_for_words(processes, "sleeper", "awake")
    later = Processes(tmp_path / "run", tmp_path / "logs")
    assert later.pid("sleeper") == processes.pid("sleeper")
    assert later.stop(["sleeper"], grace=5) == []
    assert processes.pid("sleeper") is None
    assert later.names() == []


def test_a_second_start_changes_nothing(processes):
    assert processes.start(Program("sleeper", SLEEP))
    pid = processes.pid("sleeper")
    assert not processes.start(Program("sleeper", SLEEP))
    assert processes.pid("sleeper") == pid


def test_a_process_on_other_ports_is_told(processes):
    """The same folder with another ESHOP_PORT_OFFSET."""
    processes.start(Program("sleeper", SLEEP, ports=(61001,)))
    with pytest.raises(StackError, match=r"sleeper runs on \[61001\], not on \[61002\]"):
        processes.start(Program("sleeper", SLEEP, ports=(61002,)))


def test_the_child_leads_a_session_of_its_own(processes):
    processes.start(Program("sleeper", SLEEP))
    pid = processes.pid("sleeper")
    assert os.getsid(pid) == pid  # the terminal's Ctrl-C does not reach it


def test_kill_is_sigkill_and_leaves_no_zombie_running(processes):
    processes.start(Program("deaf", DEAF))
    wait_for_words(processes, "deaf", "deaf")
    processes.kill("deaf")
    assert processes.pid("deaf") is None
    processes.kill("deaf")  # of a dead process: nothing to do


def test_who_does_not_hear_sigterm_is_killed_after_the_grace(processes):
    processes.start(Program("deaf", DEAF))
    wait_for_words(processes, "deaf", "deaf")
    began = time.monotonic()
    assert processes.stop(["deaf"], grace=0.3) == ["deaf"]
    assert 0.3 <= time.monotonic() - began < 5
    assert processes.pid("deaf") is None


def test_a_number_given_to_somebody_else_is_never_signalled(processes, tmp_path):
    bystander = subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL)
    try:
        record = {"pid": bystander.pid, "identity": identity(bystander.pid) + "0"}
        (tmp_path / "run" / "old.json").write_text(json.dumps(record))
        assert processes.pid("old") is None
        processes.kill("old")
        processes.stop(["old"], grace=1)
        assert bystander.poll() is None
    finally:
        bystander.send_signal(signal.SIGKILL)
        bystander.wait()


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1'])
def test_a_torn_record_counts_as_stopped(processes, tmp_path, text):
    (tmp_path / "run" / "torn.json").write_text(text)
    assert processes.pid("torn") is None


def test_a_dead_process_has_no_identity():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert identity(child.pid) is None


def test_a_taken_port_is_named_with_its_holder_and_nothing_starts(processes):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port}, which sleeper needs, is taken by .*\(pid {os.getpid()}\)"):
            processes.start(Program("sleeper", SLEEP, ports=(port,)))
    assert processes.names() == []
    assert processes.start(Program("sleeper", SLEEP, ports=(port,)))


def test_a_missing_program_leaves_no_record(processes):
    with pytest.raises(FileNotFoundError):
        processes.start(Program("ghost", ("/nonexistent/program",)))
    assert processes.names() == []


def test_a_long_log_is_set_aside(processes, tmp_path, monkeypatch):
    monkeypatch.setattr("dev.processes.LONGEST_LOG", 10)
    (tmp_path / "logs" / "sleeper.log").write_text("a line of yesterday\n")
    processes.start(Program("sleeper", SLEEP))
    wait_for_words(processes, "sleeper", "awake")
    assert (tmp_path / "logs" / "sleeper.log.1").read_text() == "a line of yesterday\n"
    assert processes.last_words("sleeper") == "awake"
