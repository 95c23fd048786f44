"""What runs, as the kernel and the API server see it. The namespace takes only restricted pods."""

from __future__ import annotations

import pytest

from tests.cluster.release import COORDINATORS, SERVICES, STORES

ALL = (*SERVICES, *COORDINATORS, *STORES)


def test_the_namespace_enforces_the_restricted_standard(shop):
    labels = shop.get("namespace", shop.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("component", ALL)
def test_processes_have_no_rights(shop, component):
    script = (
        "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/1/status; touch /x 2>&1; touch /app/x 2>&1; true"
    )
    (pod,) = shop.pods(component)
    lines = shop.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", script).split("\n")
    assert int(lines[0]) > 0
    status = dict(line.split(":\t") for line in lines[1:5])
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"  # filtered
    assert "Read-only file system" in lines[5]


def test_passwords_are_in_no_command_line_and_no_configuration(shop):
    import base64

    passwords = {base64.b64decode(value).decode() for data in shop.secrets().values() for value in data.values()}
    maps = shop.kubectl("get", "configmaps,deployments,statefulsets,jobs,pods", "-o", "json")
    assert not [password for password in passwords if password in maps]
    for store in STORES:
        processes = shop.kubectl("exec", f"eshop-{store}-0", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline")
        assert not [password for password in passwords if password in processes]


def test_images_hold_no_build_tools(shop):
    (pod,) = shop.pods("order")
    script = "for tool in gcc cc make protoc; do command -v $tool; done; ls /opt/eshop/bin; ls /app /app/services"
    found = shop.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", script).split()
    assert not {"gcc", "cc", "make", "protoc", "pip", "/usr/bin/gcc", "/usr/bin/make"} & set(found)
    assert found[-3:] == ["__init__.py", "common", "order"]
    # The pods' own Python cannot make code from protos.
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('grpc_tools') is not None)"
    shop.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", code)


def test_accounts_reach_their_own_schema_and_no_other(shop):
    for service in ("user", "product", "order", "stock", "coupon", "pay"):
        grants = "\n".join(shop.mysql(f"show grants for 'eshop_{service}'@'%'")).replace("\\", "")
        assert f"`eshop_{service}`.*" in grants
        assert grants.count(" ON ") == 2  # USAGE on everything, and its own schema
        assert "ALL PRIVILEGES" not in grants
        assert "CREATE" not in grants


def test_mysql_is_configured_as_promised(shop):
    row = shop.mysql(
        "select @@transaction_isolation, @@innodb_flush_log_at_trx_commit, @@log_bin, @@character_set_server"
    )
    assert row == ["READ-COMMITTED\t1\t0\tutf8mb4"]
    plugins = set(shop.mysql("select plugin from mysql.user where user like 'eshop%'"))
    assert plugins == {"caching_sha2_password"}
