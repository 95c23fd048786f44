"""MySQL, Redis and Kafka: in the release, or outside."""

from __future__ import annotations

import base64

from tests.chart.rendering import EXTERNAL

STORES = ("mysql", "redis", "kafka")


def test_each_store_is_a_stateful_set_with_a_claim_and_probes(render):
    rendered = render()
    assert rendered.kind("StatefulSet").keys() == {f"eshop-{store}" for store in STORES}
    for store in STORES:
        spec = rendered.one("StatefulSet", f"eshop-{store}")["spec"]
        claim = spec["volumeClaimTemplates"][0]
        assert claim["metadata"]["name"] == "data"
        assert claim["spec"]["resources"]["requests"]["storage"].endswith("Gi")
        assert "storageClassName" not in claim["spec"]
        container = spec["template"]["spec"]["containers"][0]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
        labels = spec["template"]["metadata"]["labels"].items()
        assert rendered.one("Service", f"eshop-{store}")["spec"]["selector"].items() <= labels
        assert spec["serviceName"] == f"eshop-{store}"


def test_storage_class_from_global_or_from_the_store(render):
    rendered = render({"global": {"storageClass": "slow"}, "mysql": {"persistence": {"storageClass": "fast"}}})
    classes = {
        store: rendered.one("StatefulSet", f"eshop-{store}")["spec"]["volumeClaimTemplates"][0]["spec"][
            "storageClassName"
        ]
        for store in STORES
    }
    assert classes == {"mysql": "fast", "redis": "slow", "kafka": "slow"}


def test_without_persistence_there_is_an_empty_folder(render):
    rendered = render({store: {"persistence": {"enabled": False}} for store in STORES})
    for store in STORES:
        spec = rendered.one("StatefulSet", f"eshop-{store}")["spec"]
        assert "volumeClaimTemplates" not in spec
        assert {"name": "data", "emptyDir": {}} in spec["template"]["spec"]["volumes"]


def test_mysql_configuration(render):
    text = render().one("ConfigMap", "eshop-mysql")["data"]["eshop.cnf"]
    lines = {line.strip() for line in text.splitlines()}
    assert "transaction_isolation = READ-COMMITTED" in lines
    assert "innodb_buffer_pool_size = 512M" in lines
    assert "skip_log_bin" in lines
    # Each is an option of both 8.0 and 8.4, which has dropped many, default_authentication_plugin among them.
    assert {line.split(" ")[0] for line in lines if line and line[0].isalpha()} == {
        "transaction_isolation",
        "character_set_server",
        "default_time_zone",
        "max_connections",
        "skip_name_resolve",
        "loose_mysqlx",
        "innodb_buffer_pool_size",
        "innodb_flush_log_at_trx_commit",
        "loose_innodb_redo_log_capacity",
        "innodb_lock_wait_timeout",
        "skip_log_bin",
    }
    values = {
        "mysql": {"binaryLog": True, "bufferPoolSize": "2G", "extraConfig": "sync_binlog = 1\nslow_query_log = ON"}
    }
    changed = render(values).one("ConfigMap", "eshop-mysql")["data"]["eshop.cnf"]
    assert "skip_log_bin" not in changed
    assert {"innodb_buffer_pool_size = 2G", "sync_binlog = 1", "slow_query_log = ON"} <= set(changed.splitlines())


def test_redis_configuration(render):
    lines = set(render().one("ConfigMap", "eshop-redis")["data"]["redis.conf"].splitlines())
    assert {"appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "maxmemory 256mb"} <= lines
    changed = render({"redis": {"appendFsync": "always", "extraConfig": "hz 20"}}).one("ConfigMap", "eshop-redis")
    assert {"appendfsync always", "hz 20"} <= set(changed["data"]["redis.conf"].splitlines())


def test_changed_configuration_restarts_the_store(render):
    def checksum(values=None):
        return render(values).pods()["StatefulSet/eshop-mysql"]["metadata"]["annotations"]["checksum/files"]

    assert checksum() != checksum({"mysql": {"maxConnections": 77}})


def kafka_environment(rendered, name="eshop-kafka"):
    container = rendered.one("StatefulSet", name)["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_kafka_is_one_kraft_node_with_a_lasting_cluster_id(render):
    first, again = kafka_environment(render()), kafka_environment(render())
    assert first == again
    assert len(base64.urlsafe_b64decode(first["CLUSTER_ID"] + "==")) == 16
    assert first["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert first["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://eshop-kafka:9092"
    assert first["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    other = kafka_environment(render(release="two"), "two-kafka")
    assert other["CLUSTER_ID"] != first["CLUSTER_ID"]
    values = {"kafka": {"clusterId": "A" * 22, "heap": "1g", "env": {"KAFKA_LOG_RETENTION_BYTES": "5"}}}
    changed = kafka_environment(render(values))
    assert changed["CLUSTER_ID"] == "A" * 22
    assert changed["KAFKA_HEAP_OPTS"] == "-Xms1g -Xmx1g"
    assert changed["KAFKA_LOG_RETENTION_BYTES"] == "5"


def test_external_stores_leave_nothing_behind_and_are_used(render):
    rendered = render(EXTERNAL)
    assert not rendered.kind("StatefulSet")
    assert not rendered.kind("Secret")
    assert not {"eshop-dtm-mysql", "eshop-dtm-redis"} & rendered.kind("Deployment").keys()
    assert not {f"eshop-{store}" for store in (*STORES, "dtm-mysql", "dtm-redis")} & rendered.kind("Service").keys()
    addresses = rendered.one("ConfigMap", "eshop-addresses")["data"]
    assert (addresses["ESHOP_MYSQL_HOST"], addresses["ESHOP_MYSQL_PORT"]) == ("db.example.com", "3307")
    assert (addresses["ESHOP_REDIS_HOST"], addresses["ESHOP_REDIS_PORT"]) == ("cache.example.com", "6380")
    assert addresses["ESHOP_KAFKA_BROKERS"] == "k0.example.com:9093,k1.example.com:9093"
    assert addresses["ESHOP_DTM_MYSQL_GRPC"] == "dtm.example.com:1002"
    assert addresses["ESHOP_DTM_REDIS_HTTP"] == "dtm2.example.com:1003"
    secrets = {
        source["secret"]["name"]
        for pod in rendered.pods().values()
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources") or []
    }
    assert secrets == {"their-mysql", "their-redis"}


def test_each_store_can_be_external_alone(render):
    for store in STORES:
        rendered = render({store: EXTERNAL[store]})
        assert rendered.kind("StatefulSet").keys() == {f"eshop-{other}" for other in STORES if other != store}


def test_an_external_redis_without_a_password(render):
    redis = {"enabled": False, "external": {"host": "cache.example.com"}}
    pods = render({"redis": redis}).pods()
    assert not pods["Deployment/eshop-flash-sale"]["spec"]["volumes"][1]["projected"]["sources"]
    names = {variable["name"] for variable in pods["Deployment/eshop-dtm-redis"]["spec"]["containers"][0]["env"]}
    assert "STORE_PASSWORD" not in names


def test_values_for_production_have_no_store_and_several_pods(render):
    rendered = render(files=["values-prod.yaml"])
    assert not rendered.kind("StatefulSet")
    assert all(d["spec"].get("replicas", 2) >= 2 for d in rendered.kind("Deployment").values())
    assert all(h["spec"]["minReplicas"] >= 2 for h in rendered.kind("HorizontalPodAutoscaler").values())
    assert rendered.kind("HorizontalPodAutoscaler").keys() == {"eshop-gateway", "eshop-order", "eshop-flash-sale"}
