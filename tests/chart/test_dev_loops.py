"""skaffold.yaml and Tiltfile name paths, images and values of this repository: they stay in step with it."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.chart.rendering import ROOT, SERVICES

DOCKERFILE = ROOT / "images" / "Dockerfile"
IMAGES = {f"eshop/{name}" for name in (*SERVICES, "coordinator", "migrations", "k6")}
SOURCES = {name.rstrip("/") for name in re.findall(r"^COPY (?!--from)(?:--\S+ )*(\S+)", DOCKERFILE.read_text(), re.M)}


def targets():
    return set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE.read_text(), re.M))


def nested(flat):
    """{"a.b": 1} as {"a": {"b": 1}}."""
    found = {}
    for path, value in flat.items():
        *parents, last = path.split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return found


def images_of(rendered):
    return {
        container["image"]
        for pod in rendered.pods().values()
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    }


@pytest.fixture(scope="module")
def config():
    return yaml.safe_load((ROOT / "skaffold.yaml").read_text())


class TestSkaffold:
    def test_it_builds_every_image_of_the_shop_from_files_that_exist(self, config):
        artifacts = {artifact["image"]: artifact for artifact in config["build"]["artifacts"]}
        assert artifacts.keys() == IMAGES
        for name, artifact in artifacts.items():
            docker = artifact["docker"]
            assert (ROOT / docker["dockerfile"]).is_file()
            assert docker.get("target", "dev") in targets()
            if "buildArgs" in docker:
                folder = docker["buildArgs"]["SERVICE"]
                assert folder == name.removeprefix("eshop/").replace("-", "_")
                assert (ROOT / "services" / folder / "__main__.py").is_file()

    def test_it_copies_the_service_and_what_it_shares(self, config):
        for artifact in config["build"]["artifacts"]:
            if "sync" in artifact:
                folder = artifact["docker"]["buildArgs"]["SERVICE"]
                rules = {(rule["src"], rule["dest"]) for rule in artifact["sync"]["manual"]}
                assert rules == {(f"services/{name}/**/*.py", "/app") for name in ("common", folder)}

    def test_the_chart_takes_its_values_and_runs_what_it_builds(self, config, render):
        (release,) = config["deploy"]["helm"]["releases"]
        assert (ROOT / release["chartPath"] / "Chart.yaml").is_file()
        assert release["skipBuildDependencies"] is True  # else it writes a Chart.lock into the repository
        values = dict(release["setValues"])
        for path, template in release["setValueTemplates"].items():
            kind, image = re.fullmatch(r"\{\{\.IMAGE_(REPO|TAG)_(\w+)\}\}", template).groups()
            (name,) = [name for name in IMAGES if re.sub(r"\W", "_", name) == image]
            values[path] = f"registry/{name}" if kind == "REPO" else "tag"
        values["loadTest.enabled"] = True
        files = [name.removeprefix("charts/eshop/") for name in release["valuesFiles"]]
        built = {f"registry/{name}:tag" for name in IMAGES}
        assert images_of(render(nested(values), files=files)) == built | {
            "mysql:8.4",
            "redis:7.2",
            "apache/kafka:4.1.1",
        }

    def test_it_forwards_the_gateway(self, config, render):
        (forward,) = config["portForward"]
        service = render().one("Service", forward["resourceName"])
        assert forward["port"] in [port["port"] for port in service["spec"]["ports"]]


class Tilt:
    """Runs the Tiltfile, whose Starlark is Python too, and notes what it asks for."""

    def __init__(self, kept=""):
        self.images, self.helm, self.resources, self.buttons, self.objects, self.commands = {}, {}, {}, {}, [], []
        names = {
            "docker_build": lambda image, context, **options: self.images.update({image: options}),
            "helm": lambda path, **options: self.helm.update(options, path=path),
            "k8s_resource": lambda name, **options: self.resources.update({name: options}),
            "local_resource": lambda name, **options: self.buttons.update({name: options}),
            "local": self.local,
            "k8s_yaml": self.objects.append,
            "encode_yaml": lambda value: value,
            "decode_json": json.loads,
            "update_settings": lambda **_: None,
            "sync": lambda source, target: (source, target),
            "fall_back_on": lambda paths: paths,
            "TRIGGER_MODE_MANUAL": "manual",
        }
        self.kept = kept
        exec((ROOT / "Tiltfile").read_text(), names)

    def local(self, command, **_):
        self.commands.append(command)
        return self.kept if command.startswith("kubectl") else "0123456789abcdef" * 100


@pytest.fixture(scope="module")
def tilt():
    return Tilt()


class TestTilt:
    def test_it_builds_every_image_of_the_shop_from_files_that_exist(self, tilt):
        assert tilt.images.keys() == IMAGES
        for name, options in tilt.images.items():
            assert (ROOT / options["dockerfile"]).is_file()
            assert options.get("target", "dev") in targets()
            assert all((ROOT / path).exists() for path in options["only"])
            if "build_args" in options:
                assert options["build_args"]["SERVICE"] == name.removeprefix("eshop/").replace("-", "_")
            if options["dockerfile"] == "images/Dockerfile":
                assert set(options["only"]) >= SOURCES

    def test_the_chart_takes_its_values_and_runs_what_it_builds(self, tilt, render):
        assert (ROOT / tilt.helm["path"] / "Chart.yaml").is_file()
        pairs = (pair.split("=") for pair in tilt.helm["set"])
        values = nested({path: {"false": False}.get(value, value) for path, value in pairs})
        files = [name.removeprefix("charts/eshop/") for name in tilt.helm["values"]]
        rendered = render(values, files=files, release=tilt.helm["name"])
        assert {image.split(":")[0] for image in images_of(rendered)} <= IMAGES | {"mysql", "redis", "apache/kafka"}
        workloads = {name for kind in ("Deployment", "StatefulSet", "Job", "CronJob") for name in rendered.kind(kind)}
        assert tilt.resources.keys() == workloads
        assert not rendered.kind("Secret")

    def test_it_copies_the_service_and_what_it_shares(self, tilt):
        for name, options in tilt.images.items():
            if "live_update" in options:
                folder = name.removeprefix("eshop/").replace("-", "_")
                parts = [(f"services/{part}", f"/app/services/{part}") for part in ("common", folder)]
                assert options["live_update"][1:] == parts
                others = {f"services/{path.parent.name}" for path in (ROOT / "services").glob("*/__main__.py")}
                assert set(options["ignore"]) == others - {f"services/{folder}"}

    def test_its_secret_has_the_keys_that_the_chart_makes(self, tilt, render):
        rendered = render()
        wanted = {key for secret in rendered.kind("Secret").values() for key in secret["data"]}
        (secret,) = [o for o in tilt.objects if o and o["kind"] == "Secret"]
        assert secret["stringData"].keys() == wanted
        assert {len(password) for password in secret["stringData"].values()} == {32}
        assert secret["metadata"]["name"] == dict(pair.split("=") for pair in tilt.helm["set"])["mysql.existingSecret"]

    def test_it_keeps_the_passwords_of_its_cluster_and_changes_nothing_by_itself(self):
        tilt = Tilt(kept='{"password": "a2VwdA=="}')
        assert [o["data"] for o in tilt.objects if o] == [{"password": "a2VwdA=="}]
        for command in tilt.commands:
            assert re.match(r"kubectl get |openssl rand ", command)

    def test_buttons_start_what_exists(self, tilt):
        assert tilt.buttons.keys() == {"seed", "demo", "load", "tests"}
        for options in tilt.buttons.values():
            assert options["trigger_mode"] == "manual"
            for path in re.findall(r"\b(?:charts|k6|tests)/[\w/.]+", options["cmd"]):
                assert (ROOT / path).exists(), path


class TestKind:
    def test_it_installs_what_it_builds(self, render):
        makefile = (ROOT / "Makefile").read_text()
        recipe = makefile[makefile.index("\nkind-up:") : makefile.index("\nlock:")]
        (tag,) = re.findall(r"images/build\.sh (\w+)", recipe)
        values = nested(dict(pair.split("=") for pair in re.search(r"--set (\S+)", recipe)[1].split(",")))
        values["loadTest"]["enabled"] = True
        for engine in ("official", "embedded"):
            values["dtm"]["engine"] = engine
            ours = {image for image in images_of(render(values, files=["values-dev.yaml"])) if "eshop/" in image}
            wanted = IMAGES - ({"eshop/coordinator"} if engine == "official" else set())
            assert ours == {f"{name}:{tag}" for name in wanted}


class TestDockerfile:
    def test_its_sources_pass_the_ignore_file(self):
        allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        assert {path.split("/")[0] for path in SOURCES} <= allowed
        assert all((ROOT / path).exists() for path in SOURCES)

    def test_every_service_folder_has_an_image(self):
        folders = {path.parent.name.replace("_", "-") for path in (ROOT / "services").glob("*/__main__.py")}
        assert folders == {*SERVICES, "coordinator"}
