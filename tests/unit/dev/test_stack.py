"""What the stack says when it cannot start, and what it hands to each process. Nothing is started here."""

import socket
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from dev import programs
from dev.errors import StackError
from dev.layout import COORDINATORS, SERVICES
from dev.processes import Program
from dev.provision import Mysql
from dev.stack import PROCESSES, Stack

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def stack(tmp_path, monkeypatch):
    monkeypatch.delenv("ESHOP_DTM_BIN", raising=False)
    stack = Stack(tmp_path / "stack", offset=7)
    stack.layout.create()
    return stack


def test_a_nearly_full_disk_is_told_before_anything_starts(stack, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(100 << 30, 99 << 30, 100 << 20))
    with pytest.raises(StackError, match="has 100 MB left and the stack wants 2048: free some, or set ESHOP_STACK_DIR"):
        stack.up()
    assert stack.processes.names() == []


def test_a_full_disk_keeps_nobody_from_stopping(stack, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(100 << 30, 100 << 30, 0))
    stack.processes.start(Program("order", (sys.executable, "-c", "import time; time.sleep(60)")))
    stack.down()
    assert stack.processes.pid("order") is None


def test_a_disk_that_fills_up_is_told(stack, monkeypatch):
    def full(*names):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(stack, "start", full)
    with pytest.raises(StackError, match="is full"):
        stack.up(stores_only=True)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"file/stack cannot be written: set ESHOP_STACK_DIR to a folder that can"):
        Stack(tmp_path / "file" / "stack", offset=7).up()


def test_all_ports_are_looked_at_before_anything_starts(stack):
    with (
        socket.create_server(("127.0.0.1", stack.layout.port("gateway", "http"))),
        pytest.raises(StackError, match="which gateway needs, is taken by"),
    ):
        stack.up()
    assert stack.processes.names() == []


def test_data_without_its_password_is_told(stack, monkeypatch):
    monkeypatch.setattr("dev.provision.mysql", lambda report: Mysql(Path("/usr/sbin/mysqld"), "8.0.15"))
    stack.layout.data("mysql").mkdir()
    with pytest.raises(StackError, match=r"is lost: restore .*secrets, or 'make clean'"):
        stack.start("mysql")


def test_an_unknown_process_is_refused_with_the_names_there_are(stack):
    for act in (stack.start, stack.stop, stack.kill, stack.wait_ready):
        with pytest.raises(StackError, match=r"no process 'orders': it is one of mysql, redis"):
            act("orders")


def test_waiting_for_what_does_not_run_ends_at_once(stack):
    stack.layout.log("order").write_text("starting\nsettings: mysql_user is missing\n")
    with pytest.raises(StackError, match="order is not running: settings: mysql_user is missing"):
        stack.wait_ready("order")


@pytest.mark.parametrize("name", [*COORDINATORS, *SERVICES])
def test_no_password_is_in_a_command_or_an_environment(stack, name):
    program = programs.program(stack, name)
    secrets = {path.read_text() for path in stack.passwords.folder.glob("*") if path.is_file()}
    assert not secrets & set(program.environment.values())
    assert not any(secret in word for secret in secrets for word in program.command)


def test_a_service_gets_its_own_account_only(stack):
    folder = programs.program(stack, "order").environment["ESHOP_SECRETS_DIR"]
    assert folder == str(stack.passwords.folder / "handed" / "order")
    assert [path.name for path in (stack.passwords.folder / "handed" / "order").iterdir()] == ["mysql_password"]
    assert stack.mysql("order").user == "eshop_order"
    assert stack.mysql("order").database == "eshop_order"
    assert stack.mysql("reader").database == ""
    handed = {"gateway": [], "flash_sale": ["redis_password"]}
    for name, passwords in handed.items():
        programs.program(stack, name)
        assert [path.name for path in (stack.passwords.folder / "handed" / name).iterdir()] == passwords


def test_a_real_dtm_is_run_where_one_is_named(stack, monkeypatch):
    monkeypatch.setenv("ESHOP_DTM_BIN", "/opt/dtm/dtm")
    mysql, redis = (programs.program(stack, name) for name in COORDINATORS)
    assert mysql.command == redis.command == ("/opt/dtm/dtm",)
    assert mysql.environment["STORE_DRIVER"] == "mysql"
    assert mysql.environment["STORE_DB"] == "dtm"
    assert redis.environment["STORE_DRIVER"] == "redis"
    assert redis.environment["UPDATE_BRANCH_SYNC"] == "1"
    assert programs.ready_path("coordinator-redis") == "/api/ping"
    assert programs.ready_path("order") == "/readyz"


def test_every_process_has_ports_of_its_own(stack):
    every = [port for name in PROCESSES for port in stack.layout.ports(name)]
    assert len(every) == len(set(every))
