"""From discovered labels to a target: defaults, relabelling, and where it is asked. Pure.

As Prometheus does it: the settings of the job become labels (`__scheme__`, `__metrics_path__`, `__param_*`,
`__scrape_interval__`, `__scrape_timeout__`), rules may change them, and what they are then is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from yarl import URL

from collectors.discovery.group import ADDRESS, TargetGroup
from core.duration import format_duration, parse_duration
from core.errors import UserError
from metrics.relabel import Rule, relabel

SCHEME = "__scheme__"
METRICS_PATH = "__metrics_path__"
PARAMETER_PREFIX = "__param_"
INTERVAL = "__scrape_interval__"
TIMEOUT = "__scrape_timeout__"
META_PREFIX = "__meta_"
INTERNAL_PREFIX = "__"

_PORTS = {"http": "80", "https": "443", "": "80"}


@dataclass(frozen=True, slots=True)
class Job:
    """What the targets of a job share before they are relabelled."""

    name: str
    interval_seconds: float
    timeout_seconds: float
    scheme: str = "http"
    metrics_path: str = "/metrics"
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A target that is to be asked.

    Attributes:
        labels: those of all its series.
        internal: all its labels, those that begin with `__` among them.
        discovered: its labels before they were relabelled.
        url: where it is asked; None where `fault` says why there is no such place.
    """

    labels: Mapping[str, str]
    internal: Mapping[str, str]
    discovered: Mapping[str, str]
    interval_seconds: float
    timeout_seconds: float
    url: URL | None
    fault: str = ""

    @property
    def digest(self) -> str:
        """Tells targets of one name apart."""
        content = repr(sorted(self.internal.items())).encode()
        return blake2b(content, digest_size=4).hexdigest()


@dataclass(slots=True)
class Found:
    """What became of the targets of a job.

    Attributes:
        targets: to be asked; none twice.
        dropped: the discovered labels of those that a rule dropped.
        faults: why others cannot be targets.
    """

    targets: list[Target] = field(default_factory=list)
    dropped: list[Mapping[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class _FaultError(Exception):
    """A label set that is no target; the message says why."""


def find_targets(job: Job, groups: Iterable[TargetGroup]) -> Found:
    """Return the targets that the discovered groups of a job come to."""
    found = Found()
    seen: set[tuple[tuple[str, str], ...]] = set()
    for group in groups:
        for own in group.targets:
            discovered = _with_job(job, {**group.labels, **own})
            labels = relabel(discovered, job.rules)
            if not labels:
                found.dropped.append(discovered)
                continue
            try:
                target = _target(job, labels, discovered)
            except _FaultError as fault:
                found.faults.append(f"{own.get(ADDRESS, '')[:200]!r}: {fault}")
                continue
            key = tuple(sorted(target.internal.items()))
            if key not in seen:
                seen.add(key)
                found.targets.append(target)
    return found


def _with_job(job: Job, labels: Mapping[str, str]) -> dict[str, str]:
    defaults = {
        "job": job.name,
        INTERVAL: format_duration(job.interval_seconds),
        TIMEOUT: format_duration(job.timeout_seconds),
        METRICS_PATH: job.metrics_path,
        SCHEME: job.scheme,
    }
    given = {name: value for name, value in labels.items() if value}
    parameters = {f"{PARAMETER_PREFIX}{name}": values[0] for name, values in job.parameters.items() if values}
    return {name: value for name, value in {**defaults, **given, **parameters}.items() if value}


def _target(job: Job, labels: dict[str, str], discovered: Mapping[str, str]) -> Target:
    address = _with_port(labels.get(ADDRESS, ""), labels.get(SCHEME, ""))
    interval, timeout = _seconds(labels, INTERVAL), _seconds(labels, TIMEOUT)
    if timeout > interval:
        raise _FaultError(
            f"scrape timeout cannot be greater than scrape interval ({labels[TIMEOUT]} > {labels[INTERVAL]})"
        )
    internal = {name: value for name, value in labels.items() if not name.startswith(META_PREFIX)}
    internal[ADDRESS] = address
    internal.setdefault("instance", address)
    shown = {name: value for name, value in internal.items() if not name.startswith(INTERNAL_PREFIX)}
    try:
        url, fault = _url(job, internal), ""
    except ValueError as error:
        url, fault = None, f"no address to ask: {' '.join(str(error).split())[:200]}"
    return Target(shown, internal, discovered, interval, timeout, url, fault)


def _with_port(address: str, scheme: str) -> str:
    if not address:
        raise _FaultError("no address: __address__ is empty")
    if not has_port(address) and has_port(f"{address}:1"):
        if scheme not in _PORTS:
            raise _FaultError(f"invalid scheme {scheme!r}; use http or https")
        address = f"{address}:{_PORTS[scheme]}"
    if "/" in address:
        raise _FaultError(f"{address[:200]!r} is not a valid hostname; write host:port, such as 127.0.0.1:9100")
    return address


def has_port(address: str) -> bool:
    """Tell whether an address is of the form `host:port` or `[host]:port`."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return False
    if address.startswith("["):
        inner, bracket, after = address[1:].partition("]")
        return bracket == "]" and after == f":{port}" and not set("[]") & {*inner, *port}
    return not set(":[]") & set(host) and not set("[]") & set(port)


def _seconds(labels: Mapping[str, str], name: str) -> float:
    what = "scrape interval" if name == INTERVAL else "scrape timeout"
    try:
        seconds = parse_duration(labels.get(name, ""))
    except UserError as error:
        raise _FaultError(f"error parsing {what}: {error}") from None
    if seconds <= 0:
        raise _FaultError(f"{what} cannot be 0")
    return seconds


def _url(job: Job, labels: Mapping[str, str]) -> URL:
    scheme = labels.get(SCHEME, "")
    if scheme not in ("http", "https"):
        raise ValueError(f"scheme {scheme!r} is not supported; use http or https")
    path = labels.get(METRICS_PATH, "")
    url = URL.build(scheme=scheme, authority=labels[ADDRESS], path=path if path.startswith("/") else f"/{path}")
    if not url.host:
        raise ValueError(f"{labels[ADDRESS]!r} has no host")
    parameters = {name: list(values) for name, values in job.parameters.items()}
    for name, value in labels.items():
        if name.startswith(PARAMETER_PREFIX):
            parameters.setdefault(name.removeprefix(PARAMETER_PREFIX), [value])[:1] = [value]
    pairs = [(name, value) for name, values in sorted(parameters.items()) for value in values]
    return url.with_query(pairs) if pairs else url


def sources_of(job_name: str, targets: Iterable[Target]) -> list[tuple[str, Target]]:
    """Return each target with a name that stays the same while the target does, unique among those of all jobs."""
    named: dict[str, list[Target]] = {}
    for target in targets:
        named.setdefault(f"scrape/{job_name}/{target.labels.get('instance', '')}", []).append(target)
    return [
        (name if len(same) == 1 else f"{name}#{target.digest}", target)
        for name, same in named.items()
        for target in same
    ]
