"""Whether the call being served may be a repeat: gRPC says so when its client tries a call again."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar

_ATTEMPTS = "grpc-previous-rpc-attempts"
_repeated: ContextVar[bool] = ContextVar("repeated", default=False)


def note(metadata: Iterable[tuple[str, object]] | None) -> None:
    """Reads the metadata of the call that this task serves."""
    if any(key == _ATTEMPTS for key, _ in metadata or ()):
        _repeated.set(True)


def is_repeated_call() -> bool:
    return _repeated.get()
