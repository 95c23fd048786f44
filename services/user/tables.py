"""Tables of the schema eshop_user: who can buy."""

from __future__ import annotations

from services.common.tables import big_number, business_table, schema, small_number, string

metadata = schema()

user = business_table(
    "user",
    metadata,
    string("name", 50, default=None),
    string("password", 200, default=None),  # an argon2id hash
    string("email", 50, default=None, unique=True),
    string("phone", 30),
    string("avatar", 200),
    small_number("age"),
    small_number("gender"),  # 1 male, 2 female
    small_number("status"),  # 0 unverified, 1 normal, 2 banned
    small_number("login_type"),  # 1 web, 2 mobile, 3 desktop, 4 API
    big_number("login_at", default=0),  # Unix seconds
)
