"""Generates services/common/pb from the protos: messages, gRPC stubs, types, and one descriptor set with comments.

    python -m protos.generate

The descriptor set (services/common/pb/eshop.binpb) feeds `buf lint` and the OpenAPI documents. Imports in the generated
modules are rewritten so that a module's import path is its folder path.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
TARGET = ROOT.parent / "services" / "common" / "pb"
PACKAGE = "services.common.pb"
DESCRIPTORS = "eshop.binpb"


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    ours = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as temporary:
        rules = Path(temporary) / "rules.binpb"
        rules.write_bytes(_rules().SerializeToString())
        _run(rules, "buf/validate/validate.proto", f"--python_out={TARGET}")
        outputs = [f"--python_out={TARGET}", f"--grpc_python_out={TARGET}"]
        if importlib.util.find_spec("mypy_protobuf"):  # not in the images: types are for the checks alone
            outputs += [f"--mypy_out=quiet:{TARGET}", f"--mypy_grpc_out=quiet:{TARGET}"]
        _run(rules, *ours, *outputs)
        comments = ["--include_imports", "--include_source_info", f"--descriptor_set_out={TARGET / DESCRIPTORS}"]
        _run(rules, *ours, *comments)
    for path in [*TARGET.rglob("*_pb2*.py"), *TARGET.rglob("*.pyi")]:
        path.write_text(_own_imports(path.read_text()))
    for folder in [TARGET, *(path for path in TARGET.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").touch()


def _rules() -> descriptor_pb2.FileDescriptorSet:
    """Protovalidate's own rules and what they import, as the library carries them."""
    from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
    from protovalidate._gen.buf.validate import validate_pb

    found = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2):
        module.DESCRIPTOR.CopyToProto(found.file.add())
    found.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return found


def _run(rules: Path, *arguments: str) -> None:
    folders = [ROOT, files("grpc_tools") / "_proto", Path(annotations_pb2.__file__).parents[2]]
    paths = [f"-I{folder}" for folder in folders]
    bin_path = str(Path(sys.executable).parent)
    status = protoc.main(["protoc", *_plugins(bin_path), *paths, f"--descriptor_set_in={rules}", *arguments])
    if status:
        raise SystemExit(f"protoc failed with {status}")


def _plugins(bin_path: str) -> list[str]:
    names = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    return [f"--plugin={name}={bin_path}/{name}" for name in names if (Path(bin_path) / name).exists()]


def _own_imports(text: str) -> str:
    text = re.sub(r"^from (eshop|buf|dtmgimp)\b", rf"from {PACKAGE}.\1", text, flags=re.M)
    text = re.sub(r"^import (eshop|buf|dtmgimp)\b", rf"import {PACKAGE}.\1", text, flags=re.M)
    return re.sub(r"(?<![\w./\"'])(eshop|buf|dtmgimp)(\.\w+)*(\.\w+_pb2)", rf"{PACKAGE}.\g<0>", text)


if __name__ == "__main__":
    main()
