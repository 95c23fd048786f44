"""Which ports are free, who holds the others, and where a stack's own ports are."""

import os
import socket
import struct
import threading
import time

import pytest

from dev import ports
from dev.errors import StackError
from dev.layout import PORTS, Layout


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
)
def test_a_listener_on_any_address_is_in_the_way(family, host):
    with socket.create_server((host, 0), family=family, dualstack_ipv6=family == socket.AF_INET6) as holder:
        port = holder.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.find_holder(port).endswith(f"(pid {os.getpid()})")
    assert ports.is_free(port)
    assert ports.find_holder(port) is None


def test_only_ports_that_the_kernel_may_give_away_are_reserved(tmp_path, monkeypatch):
    (tmp_path / "range").write_text("32768\t60999\n")
    (tmp_path / "reserved").write_text("36790-36791,50000\n")
    monkeypatch.setattr(ports, "EPHEMERAL", tmp_path / "range")
    monkeypatch.setattr(ports, "RESERVED", tmp_path / "reserved")
    ports.reserve([8080, 36789, 36790])
    assert (tmp_path / "reserved").read_text() == "36790-36791,50000,36789"


def test_reserving_without_the_right_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(ports, "EPHEMERAL", tmp_path / "missing")
    ports.reserve([36789])


def test_no_two_processes_share_a_port():
    taken = [port for kinds in PORTS.values() for port in kinds.values()]
    assert len(taken) == len(set(taken))


def test_the_offset_moves_every_port(monkeypatch, tmp_path):
    monkeypatch.setenv("ESHOP_PORT_OFFSET", "1000")
    monkeypatch.setenv("ESHOP_STACK_DIR", str(tmp_path))
    layout = Layout()
    assert layout.folder == tmp_path
    assert layout.address("gateway", "http") == "127.0.0.1:9080"
    assert layout.ports("kafka") == (31092, 31093)


@pytest.mark.parametrize("offset", ["-1", "x", "40000", "1.5"])
def test_an_offset_that_leads_nowhere_is_refused(monkeypatch, offset):
    monkeypatch.setenv("ESHOP_PORT_OFFSET", offset)
    with pytest.raises(StackError, match="ESHOP_PORT_OFFSET"):
        Layout()


def test_a_client_on_the_port_is_waited_for():
    """The kernel may give a client one of our ports; it goes when the connection does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        port = client.getsockname()[1]
        client.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # its close is a reset: no TIME_WAIT
        threading.Timer(1.5, client.close).start()
        began = time.monotonic()
        ports.require_free("order", [port])
        assert time.monotonic() - began > 1.4


def test_a_client_that_stays_is_named(monkeypatch):
    monkeypatch.setattr(ports, "CLIENT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = client.getsockname()[1]
        with pytest.raises(StackError, match=rf"port {port}, which order needs, is taken by .*\(pid {os.getpid()}\)"):
            ports.require_free("order", [port])
