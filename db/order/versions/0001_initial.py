"""Tables of orders with the barrier."""

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
        CREATE TABLE IF NOT EXISTS order_record (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            order_id VARCHAR(45) COLLATE utf8mb4_bin NOT NULL,
            user_id BIGINT UNSIGNED NOT NULL,
            product_id BIGINT UNSIGNED NOT NULL,
            product_count INT UNSIGNED NOT NULL,
            amount INT UNSIGNED NOT NULL,
            coupon_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
            status TINYINT UNSIGNED NOT NULL,
            gid VARCHAR(128) COLLATE utf8mb4_bin NOT NULL DEFAULT '',
            source TINYINT UNSIGNED NOT NULL DEFAULT 0,
            sale_id BIGINT UNSIGNED NOT NULL DEFAULT 0,
            reason VARCHAR(255) NOT NULL DEFAULT '',
            created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
            updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
            deleted_at DATETIME(3) NULL,
            PRIMARY KEY (id),
            UNIQUE KEY uq_order_record_order_id (order_id),
            KEY ix_order_record_gid (gid)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
