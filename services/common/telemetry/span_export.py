"""Where sampled spans go: to an OTLP collector, or to a file as JSON lines for tests and for a look without one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

if TYPE_CHECKING:
    from services.common.settings import ProcessSettings

_SECONDS = 3  # that an export may take, the last one at the stop too
_DELAY_MILLISECONDS = 1000
_LINKS = 512  # a batch has no more members


class FileExporter(SpanExporter):
    """Appends spans to a file, each export by one write, so that several processes can share it."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        os.write(self._file, "".join(f"{span.to_json(indent=None)}\n" for span in spans).encode())
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        os.close(self._file)


def provider(name: str, settings: ProcessSettings) -> TracerProvider | None:
    """None where tracing is off. What is sampled is decided before a span is made, so the SDK records every one."""
    exporters: list[SpanExporter] = []
    if settings.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporters.append(OTLPSpanExporter(settings.otlp_endpoint, insecure=True, timeout=_SECONDS))
    if settings.trace_file:
        exporters.append(FileExporter(settings.trace_file))
    if not exporters:
        return None
    resource = Resource.create(
        {
            "service.name": f"eshop-{name.replace('_', '-')}",
            "service.namespace": "eshop",
            "service.version": os.environ.get("ESHOP_VERSION", "dev"),
        }
    )
    made = TracerProvider(
        sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, span_limits=SpanLimits(max_links=_LINKS)
    )
    for exporter in exporters:
        made.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_DELAY_MILLISECONDS))
    return made
