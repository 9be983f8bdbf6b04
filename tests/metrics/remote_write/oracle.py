"""The messages of remote write as the protobuf library knows them, described here as the specification does.

Source: prometheus.io, "Prometheus Remote-Write 1.0 specification", Protocol.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto

_MESSAGES: dict[str, list[tuple[int, str, int, bool, str]]] = {
    "Label": [(1, "name", _FIELD.TYPE_STRING, False, ""), (2, "value", _FIELD.TYPE_STRING, False, "")],
    "Sample": [(1, "value", _FIELD.TYPE_DOUBLE, False, ""), (2, "timestamp", _FIELD.TYPE_INT64, False, "")],
    "Histogram": [(15, "timestamp", _FIELD.TYPE_INT64, False, "")],
    "TimeSeries": [
        (1, "labels", _FIELD.TYPE_MESSAGE, True, "Label"),
        (2, "samples", _FIELD.TYPE_MESSAGE, True, "Sample"),
        (4, "histograms", _FIELD.TYPE_MESSAGE, True, "Histogram"),
    ],
    "MetricMetadata": [(2, "metric_family_name", _FIELD.TYPE_STRING, False, "")],
    "WriteRequest": [
        (1, "timeseries", _FIELD.TYPE_MESSAGE, True, "TimeSeries"),
        (3, "metadata", _FIELD.TYPE_MESSAGE, True, "MetricMetadata"),
    ],
}


def _write_request() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="remote.proto", package="prometheus", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field_name, kind, repeated, inner in fields:
            field = message.field.add(name=field_name, number=number, type=kind)
            field.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            if inner:
                field.type_name = f".prometheus.{inner}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prometheus.WriteRequest"))


WriteRequest: Any = _write_request()
"""The class of the message."""


def write_request(series: list[tuple[dict[str, str], list[tuple[int, float]]]]) -> bytes:
    """Return a WriteRequest with labels and samples (time in milliseconds, value)."""
    request = WriteRequest()
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in labels.items():
            one.labels.add(name=name, value=value)
        for timestamp_ms, number in samples:
            one.samples.add(timestamp=timestamp_ms, value=number)
    return bytes(request.SerializeToString())
