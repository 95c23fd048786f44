"""Tables of ordinary stock and flash sales with the barrier."""

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
        CREATE TABLE IF NOT EXISTS flash_sale (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            product_id BIGINT UNSIGNED NOT NULL,
            stock INT UNSIGNED NOT NULL,
            remaining INT UNSIGNED NOT NULL,
            limit_per_user INT UNSIGNED NOT NULL DEFAULT 0,
            opened_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
            created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
            updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
            deleted_at DATETIME(3) NULL,
            PRIMARY KEY (id),
            KEY ix_flash_sale_product_id (product_id)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS stock (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            product_id BIGINT UNSIGNED NOT NULL,
            stock INT UNSIGNED NOT NULL,
            supplied BIGINT NOT NULL,
            created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
            updated_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
            deleted_at DATETIME(3) NULL,
            PRIMARY KEY (id),
            UNIQUE KEY uq_stock_product_id (product_id)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
