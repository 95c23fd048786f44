"""UserService's own rules: addresses in one spelling, passwords as argon2id hashes off the event loop."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from services.common.errors import Invalid
from services.user.passwords import Passwords
from services.user.service import _email


@pytest.fixture
async def passwords():
    made = Passwords(2)
    await made.open()
    yield made
    await made.close()


async def test_a_hash_is_argon2id_with_a_salt_of_its_own(passwords):
    one, other = await asyncio.gather(passwords.hash("correct horse"), passwords.hash("correct horse"))
    assert one != other
    assert PasswordHasher().verify(one, "correct horse")
    parameters = extract_parameters(one)
    assert parameters.type is Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2
    assert len(one) <= 200  # the column


async def test_hashing_leaves_the_loop_free(passwords):
    hashing = [asyncio.create_task(passwords.hash("x" * 72)) for _ in range(8)]
    turns = 0
    while not all(task.done() for task in hashing):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100  # a loop that hashed itself would turn once for each


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ann@Example.ORG", "Ann@example.org"),
        ("ann+tag@example.org", "ann+tag@example.org"),
        ("jörg@exämple.org", "jörg@exämple.org"),
    ],
)
def test_addresses(given, kept):
    assert _email(given) == kept


@pytest.mark.parametrize(
    "address", ["ann", "ann@", "@example.org", "a b@example.org", "ann@example..org", "ann@[1.2.3.4]"]
)
def test_addresses_that_no_mail_could_reach(address):
    with pytest.raises(Invalid, match=r"^email: "):
        _email(address)
