"""Are the ports free, and if not, who has them?"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from pathlib import Path

from dev.errors import StackError

RESERVED = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def require_free(process: str, ports: Iterable[int]) -> None:
    """Raises StackError naming the holder of the first port that cannot be listened on."""
    for port in ports:
        if is_free(port):
            continue
        holder = find_holder(port) or "another process"
        raise StackError(
            f"port {port}, which {process} needs, is taken by {holder}: "
            "stop that, or move this stack with ESHOP_PORT_OFFSET"
        )


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
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not sockets:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (pid {folder.name})"
        except OSError:
            continue
    return None


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if int(fields[1].rpartition(":")[2], 16) == port and fields[9] != "0":
                found.add(fields[9])
    return found


def reserve(ports: Iterable[int]) -> None:
    """Keeps outgoing connections off those of our ports that the kernel might give them.

    The coordinators' ports are in that range: under load, a client's socket could sit on one while its server restarts.
    Needs root; without it the risk stays, and a start then names the port's holder.
    """
    try:
        low, high = (int(edge) for edge in EPHEMERAL.read_text().split())
        wanted = {str(port) for port in ports if low <= port <= high}
        present = {part for part in RESERVED.read_text().strip().split(",") if part}
        if not wanted <= present:
            RESERVED.write_text(",".join(sorted(present | wanted)))
    except OSError:
        return
