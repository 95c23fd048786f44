"""The flash sale's Lua scripts; each opens with its keys, arguments and answer."""

from __future__ import annotations

from importlib.resources import files

from services.common.redis import Script


def _script(name: str) -> Script:
    return Script((files(__name__) / f"{name}.lua").read_text())


BUY = _script("buy")
OPEN = _script("open")
QUERY_PREPARED = _script("query_prepared")
