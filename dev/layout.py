"""Where the one-machine stack keeps things and which ports it takes.

ESHOP_STACK_DIR (default .stack) holds data, logs, records of processes and secrets; ESHOP_PORT_OFFSET (default 0) is
added to every port, so that a second stack can live beside the first. Downloads are shared, in ~/.cache/eshop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from dev.errors import StackError

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

STORES = ("mysql", "redis", "kafka")
COORDINATORS = ("coordinator-mysql", "coordinator-redis")
MONITORS = ("prometheus", "mysqld-exporter", "redis-exporter")  # only `make monitor` starts them

# One line for each service: its ports, which are the original's. The gateway is the last to start, the first to stop.
_SERVICE_PORTS = {
    "user": {"http": 30080, "grpc": 30082},
    "product": {"http": 30180, "grpc": 30182},
    "order": {"http": 30280, "grpc": 30282},
    "stock": {"http": 30380, "grpc": 30382},
    "coupon": {"http": 30480, "grpc": 30482},
    "pay": {"http": 30580, "grpc": 30582},
    "flash_sale": {"http": 30680, "grpc": 30682},
    "gateway": {"http": 8080},
}
SERVICES = tuple(_SERVICE_PORTS)

# Ports by process and kind; the stores' lie clear of their usual ones.
PORTS = {
    "mysql": {"sql": 30306},
    "redis": {"resp": 30379},
    "kafka": {"broker": 30092, "controller": 30093},
    "coordinator-mysql": {"http": 36789, "grpc": 36790},
    "coordinator-redis": {"http": 35789, "grpc": 35790},
    **_SERVICE_PORTS,
    "prometheus": {"http": 30090},
    "mysqld-exporter": {"http": 30104},
    "redis-exporter": {"http": 30121},
}


def cache_folder() -> Path:
    """What was downloaded or built once for all stacks of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eshop"


def _folder() -> Path:
    return (ROOT / os.environ.get("ESHOP_STACK_DIR", ".stack")).resolve()


def _offset() -> int:
    text = os.environ.get("ESHOP_PORT_OFFSET", "0") or "0"
    highest = max(port for ports in PORTS.values() for port in ports.values())
    if not text.isdecimal() or int(text) > 65535 - highest:
        raise StackError(f"ESHOP_PORT_OFFSET is {text!r}; it must be a number from 0 to {65535 - highest}")
    return int(text)


@dataclass(frozen=True)
class Layout:
    """Folder and ports of one stack."""

    folder: Path = field(default_factory=_folder)
    offset: int = field(default_factory=_offset)

    def port(self, process: str, kind: str) -> int:
        return PORTS[process][kind] + self.offset

    def ports(self, process: str) -> tuple[int, ...]:
        return tuple(port + self.offset for port in PORTS[process].values())

    def address(self, process: str, kind: str) -> str:
        """`127.0.0.1:port`."""
        return f"{HOST}:{self.port(process, kind)}"

    def data(self, store: str) -> Path:
        return self.folder / "data" / store

    def log(self, process: str) -> Path:
        return self.folder / "logs" / f"{process}.log"

    def create(self) -> None:
        """Makes the folders; all but the outermost are the owner's alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in ("data", "logs", "run", "secrets"):
            (self.folder / part).mkdir(mode=0o700, exist_ok=True)
