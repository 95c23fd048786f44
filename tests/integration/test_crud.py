"""CRUD and list filters on a real MySQL, over the users' own table in a database of this test's."""

from __future__ import annotations

import asyncio
import secrets

import pytest
import sqlalchemy as sa
from google.protobuf.json_format import ParseDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import create_async_engine

from services.common.crud import Crud
from services.common.database import Database
from services.common.errors import AlreadyExists, Conflict, Invalid, InvalidQuery, NotFound
from services.common.pb.eshop.query.v1.query_pb2 import Column
from services.common.pb.eshop.user.v1.user_pb2 import User
from services.common.settings import MysqlSettings
from services.user.tables import metadata, user

PEOPLE = [
    {"name": "ann", "email": "ann@example.org", "age": 30, "gender": 2, "status": 1, "login_at": 2**63 + 5},
    {"name": "bob", "email": "bob@example.org", "age": 40, "gender": 1, "status": 1},
    {"name": "cid 100%", "email": "cid@example.org", "age": 50, "gender": 1, "status": 2},
    {"name": "dora", "email": "dora@example.org", "age": 30, "gender": 2, "status": 0},
]


def condition(name, value, exp="", logic=""):
    return ParseDict({"name": name, "value": value, "exp": exp, "logic": logic}, Column())


@pytest.fixture(scope="module")
async def database(stack):
    """An empty database with the users' table."""
    account, schema = stack.mysql("admin"), f"crud_{secrets.token_hex(4)}"
    url = sa.URL.create("mysql+asyncmy", account.user, account.password, account.host, account.port)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4"))
    database = Database(MysqlSettings(**account.settings()), schema)
    await database.run(lambda connection: connection.run_sync(metadata.create_all))
    yield database
    await database.close()
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"DROP DATABASE {schema}"))
    await engine.dispose()


@pytest.fixture
async def crud(database):
    """An empty table."""

    async def clear(connection):
        await connection.execute(sa.delete(user))

    await database.run(clear)
    return Crud(database, user, User)


@pytest.fixture
async def people(crud):
    """Ids by name."""
    return {person["name"]: await crud.create({"password": "hash", **person}) for person in PEOPLE}


async def test_a_row_is_created_read_changed_and_hidden(crud):
    id_ = await crud.create({"name": "ann", "password": "hash", "email": "a@example.org", "login_at": 2**64 - 1})
    created = await crud.get(id_)
    assert (created.id, created.name, created.login_at, created.age) == (id_, "ann", 2**64 - 1, 0)
    assert created.created_at == created.updated_at
    assert len(created.created_at) == len("2026-11-22T19:53:24.123Z")
    assert created.created_at.endswith("Z")

    await asyncio.sleep(0.005)
    await crud.update(id_, {"age": 31, "name": "anna"})
    changed = await crud.get(id_)
    assert (changed.name, changed.age, changed.created_at) == ("anna", 31, created.created_at)
    assert changed.updated_at > created.updated_at

    await crud.delete(id_)
    for call in (crud.get(id_), crud.update(id_, {"age": 1}), crud.update(id_, {}), crud.delete(id_)):
        with pytest.raises(NotFound, match=f"no user with id {id_}"):
            await call
    assert await crud.list(0, 10, "") == ([], 0)


async def test_a_unique_value_is_taken_also_by_a_deleted_row(crud, people):
    with pytest.raises(AlreadyExists, match="email"):
        await crud.create({"name": "x", "password": "hash", "email": "bob@example.org"})
    with pytest.raises(AlreadyExists, match="email"):
        await crud.update(people["ann"], {"email": "bob@example.org"})
    await crud.delete(people["bob"])
    with pytest.raises(AlreadyExists):
        await crud.create({"name": "x", "password": "hash", "email": "bob@example.org"})
    assert (await crud.get(people["ann"])).email == "ann@example.org"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x" * 51}, "name: too long"),
        ({"age": 256}, "age: too long or out of range"),
        ({"login_at": 2**64}, "loginAt: too long or out of range"),
    ],
)
async def test_a_value_that_its_column_cannot_hold(crud, people, values, message):
    with pytest.raises(Invalid, match=message):
        await crud.create({"name": "x", "password": "hash", "email": "x@example.org", **values})
    with pytest.raises(Invalid, match=message):
        await crud.update(people["ann"], values)
    assert (await crud.list(0, 10, ""))[1] == 4


async def test_a_change_with_a_condition(crud, people):
    only_if = user.c.status == 1
    await crud.update(people["ann"], {"status": 2}, only_if, "not normal")
    with pytest.raises(Conflict, match="not normal"):
        await crud.update(people["ann"], {"status": 0}, only_if, "not normal")
    with pytest.raises(Conflict, match="not normal"):
        await crud.delete(people["ann"], only_if, "not normal")
    with pytest.raises(NotFound):
        await crud.update(10**9, {"status": 0}, only_if, "not normal")
    assert (await crud.get(people["ann"])).status == 2


async def test_another_column_as_key(crud, people, database):
    by_email = Crud(database, user, User, key="email")
    assert (await by_email.get("bob@example.org")).id == people["bob"]
    await by_email.update("bob@example.org", {"age": 41})
    await by_email.delete("bob@example.org")
    with pytest.raises(NotFound):
        await crud.get(people["bob"])


@pytest.mark.parametrize(
    ("page", "limit", "sort", "names"),
    [
        (0, 0, "", ["dora", "cid 100%", "bob", "ann"]),
        (0, 2, "id", ["ann", "bob"]),
        (1, 2, "id", ["cid 100%", "dora"]),
        (1, 3, "id", ["dora"]),
        (2, 2, "id", []),
        (0, 4, "id", ["ann", "bob", "cid 100%", "dora"]),
        (0, 10, "-age,name", ["cid 100%", "bob", "ann", "dora"]),
        (0, 10, "age, -name", ["dora", "ann", "bob", "cid 100%"]),
        (0, 10, "loginAt", ["dora", "cid 100%", "bob", "ann"]),
        (0, 10, "-email", ["dora", "cid 100%", "bob", "ann"]),
    ],
)
async def test_pages(crud, people, page, limit, sort, names):
    found, total = await crud.list(page, limit, sort)
    assert ([one.name for one in found], total) == (names, 4)


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ([condition("age", 30)], {"ann", "dora"}),
        ([condition("age", "30", "eq")], {"ann", "dora"}),
        ([condition("age", 30, "!=")], {"bob", "cid 100%"}),
        ([condition("age", 30, "NEQ")], {"bob", "cid 100%"}),
        ([condition("age", 30, ">")], {"bob", "cid 100%"}),
        ([condition("age", 40, "gte")], {"bob", "cid 100%"}),
        ([condition("age", 40, "<")], {"ann", "dora"}),
        ([condition("age", 40, "lte")], {"ann", "bob", "dora"}),
        ([condition("age", [30, 50], "in")], {"ann", "cid 100%", "dora"}),
        ([condition("age", "30, 50", "IN")], {"ann", "cid 100%", "dora"}),
        ([condition("status", True)], {"ann", "bob"}),
        ([condition("name", "b", "like")], {"bob"}),
        ([condition("name", "%a", "like")], {"dora"}),
        ([condition("email", "example", "like")], {"ann", "bob", "cid 100%", "dora"}),
        ([condition("name", ["ann", "bob"], "in")], {"ann", "bob"}),
        ([condition("name", "' OR 1=1 -- ")], set()),
        ([condition("loginAt", str(2**63 + 5))], {"ann"}),
        ([condition("login_at", 0, ">")], {"ann"}),
        ([condition("created_at", "2020-01-01T00:00:00Z", ">")], {"ann", "bob", "cid 100%", "dora"}),
        ([condition("createdAt", "2020-01-01T00:00:00+02:00", "<")], set()),
        # `logic` joins a condition to the next one; the last one's says nothing.
        ([condition("age", 30, logic="||"), condition("age", 50)], {"ann", "cid 100%", "dora"}),
        ([condition("age", 30, logic="&"), condition("status", 1, logic="||")], {"ann"}),
        ([condition("age", 30), condition("status", 1)], {"ann"}),
        # and binds tighter than or
        (
            [condition("age", 50, logic="or"), condition("age", 30, logic="and"), condition("status", 0)],
            {"cid 100%", "dora"},
        ),
    ],
)
async def test_conditions(crud, people, columns, names):
    found, total = await crud.search(0, 10, "id", columns)
    assert {one.name for one in found} == names
    assert total == len(names)
    limited, total = await crud.search(0, 1, "id", columns)
    assert (len(limited), total) == (min(1, len(names)), len(names))


COLUMNS = ("age", "gender", "status")
TESTS = {"=": int.__eq__, "!=": int.__ne__, ">": int.__gt__, ">=": int.__ge__, "<": int.__lt__, "<=": int.__le__}
A_CONDITION = st.tuples(
    st.sampled_from(COLUMNS), st.sampled_from(sorted(TESTS)), st.sampled_from([0, 1, 2, 30, 40]), st.sampled_from("&|")
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(A_CONDITION, min_size=1, max_size=5))
async def test_conditions_mean_what_python_says(crud, people, conditions):
    def holds(person):
        words = []
        for name, exp, value, logic in conditions:
            words += [str(TESTS[exp](person[name], value)), "and" if logic == "&" else "or"]
        return eval(" ".join(words[:-1]))

    found, _ = await crud.search(
        0, 10, "id", [condition(name, value, exp, logic) for name, exp, value, logic in conditions]
    )
    assert [one.name for one in found] == [person["name"] for person in PEOPLE if holds(person)]


@pytest.mark.parametrize("name", ["password", "deleted_at", "nope", "id; DROP TABLE user", "ID"])
async def test_columns_that_are_not_shown_cannot_be_asked_for(crud, people, name):
    with pytest.raises(InvalidQuery):
        await crud.search(0, 10, "", [condition(name, "hash")])
    with pytest.raises(InvalidQuery):
        await crud.list(0, 10, name)
    assert (await crud.list(0, 10, ""))[1] == 4
