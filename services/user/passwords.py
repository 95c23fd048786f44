"""Passwords: argon2id hashes, made in a few threads so that the event loop never waits for one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher, Type

# The smallest setting that OWASP's password storage cheat sheet lists for argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


class Passwords:
    """A resource: the threads."""

    def __init__(self, threads: int) -> None:
        self.name = "passwords"
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")

    async def open(self) -> None:
        """The threads start when needed."""

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def check(self) -> None:
        """Always there."""

    async def hash(self, password: str) -> str:
        """The encoded hash with its salt and its parameters."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _hasher.hash, password)
