"""What each service serves, taken from its own wiring: nothing is opened, and no port is bound."""

from __future__ import annotations

import importlib
import pkgutil
import runpy
from dataclasses import dataclass, field
from typing import Any

import services
from services.common import runtime
from services.common.pb.eshop.options.v1 import options_pb2
from services.common.rpc import Rpc


@dataclass
class Wiring:
    """A Runtime that only takes notes."""

    name: str
    resources: list[Any] = field(default_factory=list)
    public: dict[str, Any] = field(default_factory=dict)  # descriptors by full name
    branches: dict[str, tuple[Any, object]] = field(default_factory=dict)  # with their implementations
    forwarded: list[Rpc] = field(default_factory=list)
    loops: dict[str, Any] = field(default_factory=dict)

    async def open(self, resource):
        self.resources.append(resource)
        return resource

    def serve(self, service, implementation):
        self.public[service.full_name] = service

    def serve_branches(self, service, implementation):
        self.branches[service.full_name] = service, implementation

    def forward(self, rpcs):
        self.forwarded += rpcs

    def loop(self, name, run):
        self.loops[name] = run


def names() -> list[str]:
    """Every package of services/ that can be started and is part of the shop."""
    found = [module.name for module in pkgutil.iter_modules(services.__path__) if module.ispkg]
    return [name for name in found if name not in ("common", "coordinator")]


async def wiring_of(name: str, monkeypatch) -> Wiring:
    captured = []
    monkeypatch.setenv("ESHOP_MYSQL_USER", "nobody")
    monkeypatch.setattr(runtime, "run", lambda *arguments: captured.append(arguments))
    runpy.run_module(f"services.{name}.__main__")
    [(title, _, wire)] = captured
    assert title == name
    wiring = Wiring(name)
    await wire(wiring)
    return wiring


def gateway_option(method):
    """What the proto says about the gateway; None for a call that is not public."""
    options = method.GetOptions()
    return options.Extensions[options_pb2.gateway] if options.HasExtension(options_pb2.gateway) else None


def protos_of(name: str) -> list[Any]:
    """The descriptors of a service's proto package."""
    try:
        package = importlib.import_module(f"services.common.pb.eshop.{name}.v1")
    except ModuleNotFoundError:
        return []
    modules = [module.name for module in pkgutil.iter_modules(package.__path__) if module.name.endswith("_pb2")]
    return [importlib.import_module(f"{package.__name__}.{module}").DESCRIPTOR for module in modules]
