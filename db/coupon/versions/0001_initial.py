"""Tables of coupons with the barrier."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE IF NOT EXISTS barrier (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            trans_type VARCHAR(45) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            gid VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            branch_id VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            op VARCHAR(45) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            barrier_id VARCHAR(45) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            reason VARCHAR(45) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            create_time DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
            update_time DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
            PRIMARY KEY (id),
            UNIQUE KEY uq_barrier (gid, branch_id, op, barrier_id),
            KEY ix_barrier_create_time (create_time)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS coupon (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            user_id BIGINT UNSIGNED NOT NULL,
            amount INT UNSIGNED NOT NULL,
            status INT UNSIGNED NOT NULL DEFAULT 1,
            expires_at DATETIME(3) NULL,
            order_id VARCHAR(45) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
            updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
            deleted_at DATETIME(3) NULL,
            PRIMARY KEY (id),
            KEY ix_coupon_order_id (order_id),
            KEY ix_coupon_user_id (user_id)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
