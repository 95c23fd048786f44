"""Are the ports free, and if not, who has them?"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from dev.errors import StackError

RESERVED = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
LISTENING = "0A"  # in /proc/net/tcp
LISTENER_SECONDS = 1
CLIENT_SECONDS = 65  # the kernel keeps a closed connection for 60
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def require_free(process: str, ports: Iterable[int]) -> None:
    """Returns when all ports can be listened on; raises StackError naming the holder of the first that cannot.

    A process that was just killed, and the connections of clients that the kernel gave one of these ports, get a while.
    """
    began = time.monotonic()
    for port in ports:
        while not is_free(port):
            patience = LISTENER_SECONDS if _sockets(port, LISTENING) else CLIENT_SECONDS
            if time.monotonic() - began > patience:
                holder = find_holder(port) or "another process"
                raise StackError(
                    f"port {port}, which {process} needs, is taken by {holder}: "
                    "stop that, or move this stack with ESHOP_PORT_OFFSET"
                )
            time.sleep(0.05)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port on every address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - a listener on any address is in the way
            probe.listen()
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def find_holder(port: int) -> str | None:
    """`name (pid 123)` of the process with a socket on this port, where /proc tells."""
    sockets = {f"socket:[{inode}]" for inode in _sockets(port, LISTENING) or _sockets(port)}
    if not sockets:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
        except OSError:
            continue
    return None


def _sockets(port: int, state: str = "") -> set[str]:
    """Inodes of the sockets on a local port, of one state or of any; `0` is one that no process holds any more."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3].startswith(state):
                found.add(fields[9])
    return found


def reserve(ports: Iterable[int]) -> None:
    """Keeps outgoing connections off those of our ports that the kernel might give them.

    The coordinators' ports are in that range: under load, a client's socket could sit on one while its server restarts.
    Needs root; without it the risk stays, and a start then names the port's holder.
    """
    try:
        low, high = (int(edge) for edge in EPHEMERAL.read_text().split())
        text = RESERVED.read_text().strip()
        edges = [part.partition("-") for part in text.split(",") if part]
        present = {port for first, _, last in edges for port in range(int(first), int(last or first) + 1)}
        missing = {port for port in ports if low <= port <= high} - present
        if missing:
            RESERVED.write_text(",".join(filter(None, [text, *(str(port) for port in sorted(missing))])))
    except OSError:
        return
