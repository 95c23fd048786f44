"""UserService: who can buy."""

from __future__ import annotations

from typing import Any

from email_validator import EmailNotValidError, validate_email

from services.common.crud import Crud
from services.common.database import Database
from services.common.errors import Invalid
from services.common.pb.eshop.user.v1 import user_pb2
from services.user.passwords import Passwords
from services.user.tables import user

_FIELDS = ("name", "password", "email", "phone", "avatar", "age", "gender", "status", "login_at", "login_type")


class UserService:
    """Public. Passwords go in and never come out: the message User has no field for them."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._passwords = passwords
        self._crud: Crud[user_pb2.User] = Crud(database, user, user_pb2.User)

    async def create(self, request: user_pb2.CreateRequest) -> user_pb2.CreateResponse:
        values = await self._columns({name: getattr(request, name) for name in _FIELDS})
        return user_pb2.CreateResponse(id=await self._crud.create(values))

    async def get(self, request: user_pb2.GetRequest) -> user_pb2.GetResponse:
        return user_pb2.GetResponse(user=await self._crud.get(request.id))

    async def update(self, request: user_pb2.UpdateRequest) -> user_pb2.UpdateResponse:
        given = {name: getattr(request, name) for name in _FIELDS if request.HasField(name)}  # type: ignore[arg-type]
        await self._crud.update(request.id, await self._columns(given))
        return user_pb2.UpdateResponse()

    async def delete(self, request: user_pb2.DeleteRequest) -> user_pb2.DeleteResponse:
        await self._crud.delete(request.id)
        return user_pb2.DeleteResponse()

    async def list(self, request: user_pb2.ListRequest) -> user_pb2.ListResponse:
        rows, total = await self._crud.list(request.page, request.limit, request.sort)
        return user_pb2.ListResponse(list=rows, total=total)

    async def search(self, request: user_pb2.SearchRequest) -> user_pb2.SearchResponse:
        rows, total = await self._crud.search(request.page, request.limit, request.sort, request.columns)
        return user_pb2.SearchResponse(list=rows, total=total)

    async def _columns(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The columns of these fields: the e-mail address in its one spelling, the password as a hash."""
        if "email" in fields:
            fields["email"] = _email(fields["email"])
        if "password" in fields:
            fields["password"] = await self._passwords.hash(fields["password"])
        return fields


def _email(address: str) -> str:
    """Normalised; what no mail could reach is Invalid. No look-up in the DNS."""
    try:
        return validate_email(address, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise Invalid(f"email: {error}") from None
