"""What is installed is used; what is missing is told in one line with what to install."""

import os
import stat
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev import provision, tools
from dev.errors import StackError


def silent(step):
    """Nobody watches the progress."""


@pytest.fixture
def path(tmp_path, monkeypatch):
    """An empty PATH and an empty cache; returns the folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def program(folder, name, text):
    script = folder / name
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def test_an_installed_mysql_8_is_used(path):
    mysqld = program(path, "mysqld", "echo 'mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)'")
    assert provision.mysql(silent) == provision.Mysql(mysqld, "8.4.3")


@pytest.mark.parametrize(
    "version", ["mysqld  Ver 10.11.6-MariaDB for debian-linux-gnu", "mysqld  Ver 5.7.44 for Linux", "8.0.36-MariaDB"]
)
def test_another_database_of_that_name_is_not_mysql_8(path, version):
    program(path, "mysqld", f"echo '{version}'")
    with pytest.raises(StackError, match="install the package maven"):
        provision.mysql(silent)


def test_without_maven_the_message_names_its_package(path):
    for find in (provision.mysql, provision.kafka):
        with pytest.raises(StackError, match="install the package maven"):
            find(silent)


def test_a_failed_download_leaves_nothing_behind(path, tmp_path):
    program(path, "mvn", "echo '[ERROR] no network'; exit 1")
    with pytest.raises(StackError, match=r"Maven failed: \[ERROR\] no network"):
        provision.kafka(silent)
    assert [entry.suffix for entry in (tmp_path / "cache" / "eshop").iterdir()] == [".lock"]


def test_what_was_fetched_is_not_fetched_again(path, tmp_path):
    libraries = tmp_path / "cache" / "eshop" / f"kafka-{provision.KAFKA}"
    libraries.mkdir(parents=True)
    assert provision.kafka(silent) == libraries  # there is no Maven on PATH


def test_an_installed_redis_is_used(path):
    server = program(path, "redis-server", "")
    assert provision.redis(silent) == server


def test_who_is_not_root_is_told_what_to_install(path, monkeypatch):
    program(path, "apt-get", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StackError, match="redis-server is missing: run 'sudo apt-get install redis-server'"):
        provision.redis(silent)


def test_without_apt_the_message_names_the_package(path):
    with pytest.raises(StackError, match="redis-server is missing: install it"):
        provision.redis(silent)


def test_a_failed_installation_tells_apt_s_last_word(path, monkeypatch):
    program(path, "apt-get", "echo 'E: Unable to locate package' >&2; exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(StackError, match="failed: E: Unable to locate package"):
        provision.redis(silent)


def test_an_old_list_of_packages_is_brought_up_to_date(path, tmp_path, monkeypatch):
    """A new machine knows no packages: the first installation fails, the one behind the update does not."""
    program(path, "redis-server.new", "")
    program(
        path,
        "apt-get",
        f"""
        case "$*" in
          *update*) : > {tmp_path}/updated ;;
          *install*) [ -e {tmp_path}/updated ] && /bin/cp {path}/redis-server.new {path}/redis-server ;;
        esac""",
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert provision.redis(silent) == path / "redis-server"


def test_two_stacks_do_not_fetch_the_same_thing_at_once(path, tmp_path):
    """Maven here is slow and counts its calls: the second stack finds what the first has fetched."""
    count = tmp_path / "count"
    make = 'for word; do case $word in -DoutputDirectory=*) /bin/mkdir "${word#*=}" ;; esac; done'
    script = f"echo call >> {count}; /bin/sleep 0.5; {make}"
    program(path, "mvn", script)
    with ThreadPoolExecutor() as pool:
        folders = set(pool.map(provision.kafka, [silent] * 4))
    assert len(folders) == 1
    assert count.read_text() == "call\n"


def test_java_is_asked_for_its_version(path):
    with pytest.raises(StackError, match="install openjdk-17-jre-headless"):
        provision.java()
    java = program(path, "java", """echo 'openjdk version "11.0.2" 2019' >&2""")
    with pytest.raises(StackError, match="is 11: set JAVA_HOME"):
        provision.java()
    program(path, "java", """echo 'openjdk version "21" 2023' >&2""")
    assert provision.java() == java


def test_a_tool_is_found_on_path_then_in_the_cache(path, tmp_path):
    with pytest.raises(StackError, match="install k6 or Go"):
        tools.find("k6", silent)
    cache = tmp_path / "cache" / "eshop" / "bin"
    cache.mkdir(parents=True)
    built = program(cache, "k6", "")
    assert tools.find("k6", silent) == built
    installed = program(path, "k6", "")
    assert tools.find("k6", silent) == installed


def test_a_failed_build_is_told(path):
    program(path, "go", "echo 'go: no such module' >&2; exit 1")
    with pytest.raises(StackError, match="failed: go: no such module"):
        tools.find("buf", silent)


def test_the_archive_of_mysql_is_unpacked_in_one_step(path, tmp_path, monkeypatch):
    """A Maven that delivers a jar with the archive inside, as the real one does, on a machine that has libaio."""
    monkeypatch.setattr(provision, "_library", lambda name: Path("/lib", name))
    (tmp_path / "tree" / "bin").mkdir(parents=True)
    program(tmp_path / "tree" / "bin", "mysqld", "echo 'mysqld Ver 8.0.15 for linux (MySQL)'")
    run = {"env": {"PATH": os.defpath}, "check": True}
    subprocess.run(["tar", "czf", tmp_path / provision.MYSQL_ARCHIVE, "-C", tmp_path / "tree", "."], **run)
    jar = tmp_path / "mysql.jar"
    with zipfile.ZipFile(jar, "w") as file:
        file.write(tmp_path / provision.MYSQL_ARCHIVE, provision.MYSQL_ARCHIVE)
    program(path, "mvn", f'for word; do case $word in -DoutputDirectory=*) /bin/cp {jar} "${{word#*=}}";; esac; done')
    found = provision.mysql(silent)
    assert found.version == "8.0.15"
    assert found.mysqld == tmp_path / "cache" / "eshop" / "mysql" / "bin" / "mysqld"
    assert [folder.name for folder in (tmp_path / "cache" / "eshop").iterdir() if folder.name.startswith(".")] == []


def test_a_mysql_from_maven_wants_libaio(path, tmp_path, monkeypatch):
    """It was fetched, and the library that it is linked with is missing."""
    monkeypatch.setattr(provision, "_library", lambda name: None)
    (tmp_path / "cache" / "eshop" / "mysql").mkdir(parents=True)
    with pytest.raises(StackError, match="libaio1 is missing: install it"):
        provision.mysql(silent)
