"""Tables of users."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE IF NOT EXISTS user (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            name VARCHAR(50) NOT NULL,
            password VARCHAR(200) NOT NULL,
            email VARCHAR(50) NOT NULL,
            phone VARCHAR(30) NOT NULL DEFAULT '',
            avatar VARCHAR(200) NOT NULL DEFAULT '',
            age TINYINT UNSIGNED NOT NULL DEFAULT 0,
            gender TINYINT UNSIGNED NOT NULL DEFAULT 0,
            status TINYINT UNSIGNED NOT NULL DEFAULT 0,
            login_type TINYINT UNSIGNED NOT NULL DEFAULT 0,
            login_at BIGINT UNSIGNED NOT NULL DEFAULT 0,
            created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
            updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
            deleted_at DATETIME(3) NULL,
            PRIMARY KEY (id),
            UNIQUE KEY uq_user_email (email)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
