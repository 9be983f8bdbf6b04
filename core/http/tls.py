"""TLS contexts from a config."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TypeVar

from core.config import config_error
from core.http.config import TlsConfig
from core.yaml_file import Path_

ContextT = TypeVar("ContextT", bound=ssl.SSLContext)


def is_default(config: TlsConfig) -> bool:
    """Tell whether the client library's own context, which all share, will do."""
    return config.ca_file is None and config.cert_file is None and not config.insecure_skip_verify


def make_context(config: TlsConfig, base: Path, path: Path_, kind: type[ContextT]) -> ContextT:
    """Return a client context.

    Args:
        path: leads to `tls_config` in the config file, for the error.
        kind: the class of the context.
    Raises: ConfigError: a certificate or key cannot be read.
    """
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    key = "ca_file"
    try:
        if config.ca_file is not None:
            context.load_verify_locations(base / config.ca_file)
        elif not config.insecure_skip_verify:
            context.load_default_certs()
        key = "cert_file"
        if config.cert_file is not None and config.key_file is not None:
            context.load_cert_chain(base / config.cert_file, base / config.key_file)
    except (OSError, ssl.SSLError) as error:
        files = {"ca_file": config.ca_file, "cert_file": f"{config.cert_file} and {config.key_file}"}
        remedy = "it must be readable by the daemon's user, in PEM format"
        raise config_error((*path, key), f"cannot use {files[key]}: {_reason(error)}; {remedy}") from error
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return error.strerror or str(error)


def file_states(config: TlsConfig, base: Path) -> tuple[object, ...]:
    """Return what changes when one of the files does, for a collector's signature."""
    states: list[object] = []
    for file in (config.ca_file, config.cert_file, config.key_file):
        if file is not None:
            try:
                state = (base / file).stat()
            except OSError:
                continue
            states.append((str(file), state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(states)
