"""DTM's own tables: what both coordinators on MySQL, the official one and the embedded one, read and write."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE IF NOT EXISTS trans_global (
            id BIGINT NOT NULL AUTO_INCREMENT,
            gid VARCHAR(128) COLLATE utf8mb4_bin NOT NULL,
            trans_type VARCHAR(45) NOT NULL,
            status VARCHAR(12) NOT NULL,
            query_prepared VARCHAR(1024) NOT NULL,
            protocol VARCHAR(45) NOT NULL,
            create_time DATETIME NULL,
            update_time DATETIME NULL,
            finish_time DATETIME NULL,
            rollback_time DATETIME NULL,
            options VARCHAR(1024) DEFAULT '',
            custom_data VARCHAR(1024) DEFAULT '',
            next_cron_interval INT NULL,
            next_cron_time DATETIME NULL,
            owner VARCHAR(128) NOT NULL DEFAULT '',
            ext_data TEXT,
            result VARCHAR(1024) DEFAULT '',
            rollback_reason VARCHAR(1024) DEFAULT '',
            PRIMARY KEY (id),
            UNIQUE KEY uq_trans_global_gid (gid),
            KEY ix_trans_global_owner (owner),
            KEY ix_trans_global_due (status, next_cron_time)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS trans_branch_op (
            id BIGINT NOT NULL AUTO_INCREMENT,
            gid VARCHAR(128) COLLATE utf8mb4_bin NOT NULL,
            url VARCHAR(1024) NOT NULL,
            data TEXT,
            bin_data BLOB,
            branch_id VARCHAR(128) COLLATE utf8mb4_bin NOT NULL,
            op VARCHAR(45) NOT NULL,
            status VARCHAR(45) NOT NULL,
            finish_time DATETIME NULL,
            rollback_time DATETIME NULL,
            create_time DATETIME NULL,
            update_time DATETIME NULL,
            PRIMARY KEY (id),
            UNIQUE KEY uq_trans_branch_op (gid, branch_id, op)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
    op.execute("""
        CREATE TABLE IF NOT EXISTS kv (
            id BIGINT NOT NULL AUTO_INCREMENT,
            cat VARCHAR(45) NOT NULL,
            k VARCHAR(128) COLLATE utf8mb4_bin NOT NULL,
            v TEXT,
            version BIGINT NOT NULL DEFAULT 1,
            create_time DATETIME NULL,
            update_time DATETIME NULL,
            PRIMARY KEY (id),
            UNIQUE KEY uq_kv (cat, k)
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
    """)
