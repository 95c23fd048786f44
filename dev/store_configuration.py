"""How the stack configures MySQL, Redis and Kafka: to lose nothing, to be fast, and to be small.

Durability: MySQL syncs its log at each commit (the flows commit in groups, so that a sync pays for many orders) and
needs no binary log without replicas; Redis syncs its append-only file each second; Kafka acknowledges what its log has.
"""

from __future__ import annotations

MYSQL = """[mysqld]
basedir={basedir}
datadir={data}
socket={data}.sock
pid-file={data}.pid
port={port}
bind-address=127.0.0.1
mysqlx=OFF
skip-name-resolve
default-time-zone=+00:00
character-set-server=utf8mb4
transaction-isolation=READ-COMMITTED
max-connections=500
skip-log-bin
innodb-flush-log-at-trx-commit=1
innodb-flush-method=O_DIRECT
innodb-buffer-pool-size=512M
loose-innodb-redo-log-capacity=512M
loose-innodb-numa-interleave=OFF
performance-schema=OFF
{more}
"""
REDIS = """bind 127.0.0.1
port {port}
dir {data}
daemonize no
set-proc-title no
requirepass {password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
tcp-backlog 2048
maxclients 20000
"""
KAFKA = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
offsets.topic.num.partitions=6
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
"""
KAFKA_LOGGING = """status=WARN
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""
