"""From the receivers of a config to integrations, and the mistakes that show only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module

from prometheus_client import Gauge
from pydantic import BaseModel

from alerting.notify.guarded import Guarded
from alerting.notify.integration import BaseIntegration, Setting
from alerting.notify.notice import Integration
from alerting.notify.receiver_config import ReceiverSection
from alerting.notify.secret import SecretError, read_secret
from core.errors import ConfigError, Problem, UserError
from core.secret import Secret, plain
from core.yaml_file import Document, Path_, dotted

Address = tuple[str, str]
"""A receiver's name, and the name of one of its integrations."""

_CLASSES = {
    "webhook": "alerting.notify.webhook:Webhook",
    "slack": "alerting.notify.slack:Slack",
    "email": "alerting.notify.mail:Mail",
    "pagerduty": "alerting.notify.pagerduty:Pagerduty",
    "opsgenie": "alerting.notify.opsgenie:Opsgenie",
    "telegram": "alerting.notify.telegram:Telegram",
    "discord": "alerting.notify.discord:Discord",
    "msteams": "alerting.notify.msteams:Msteams",
    "msteamsv2": "alerting.notify.msteams:Msteamsv2",
    "apprise": "alerting.notify.apprise_address:AppriseAddress",
}


def integrations(
    receivers: Sequence[ReceiverSection], setting: Setting, circuit_state: Gauge | None = None
) -> dict[Address, Guarded]:
    """Return an integration for each address of these receivers; reads certificates, so it is for a thread.

    Args:
        circuit_state: shows whether an address is left alone, by receiver and integration; what it showed is gone.
    Raises: ConfigError: a certificate cannot be used.
    """
    made = [(receiver, integration) for _, receiver, integration in _made(receivers, setting)]
    if circuit_state is not None:
        circuit_state.clear()
    return {
        (receiver, integration.name): Guarded(integration, receiver, setting.clock, circuit_state)
        for receiver, integration in made
    }


def by_receiver(
    receivers: Sequence[ReceiverSection], found: Mapping[Address, Integration]
) -> dict[str, list[Integration]]:
    """Return the integrations of each receiver, also of one that has none."""
    grouped: dict[str, list[Integration]] = {receiver.name: [] for receiver in receivers}
    for (receiver, _), integration in found.items():
        grouped[receiver].append(integration)
    return grouped


def check(receivers: Sequence[ReceiverSection], setting: Setting, document: Document | None = None) -> list[Problem]:
    """Return what is wrong with receivers in their surroundings: files, certificates, things not given anywhere."""
    problems: list[Problem] = []

    def tell(path: Path_, message: str) -> None:
        known = Problem("config", 0, 0, dotted(path), message)
        problems.append(known if document is None else document.problem(path, message))

    names = {receiver.name for receiver in receivers}
    for number, receiver in enumerate(receivers):
        fallback = receiver.fallback_receiver
        if fallback is not None and (fallback not in names or fallback == receiver.name):
            why = "is the receiver itself" if fallback == receiver.name else "is no receiver of this file"
            tell((*setting.path, number, "fallback_receiver"), f"{fallback!r} {why}; name another one")
    for number, receiver in enumerate(receivers):
        try:
            for path, _, integration in _made([receiver], setting, number):
                _check_address(path, integration, tell)
            for kind, index, section in receiver.addresses():
                _check_texts((*setting.path, number, f"{kind}_configs", index), section, setting, tell)
        except ConfigError as error:
            for problem in error.problems:
                tell(tuple(int(p) if p.isdigit() else p for p in problem.path.split(".")), problem.message)
    return problems


def _check_address(path: Path_, integration: BaseIntegration, tell: Callable[[Path_, str], None]) -> None:
    for key, file in integration.secret_files():
        try:
            read_secret(file)
        except SecretError as error:
            tell((*path, *key), str(error))
    missing = integration.missing()
    if missing:
        tell(path, missing)


def _check_texts(path: Path_, value: object, setting: Setting, tell: Callable[[Path_, str], None]) -> None:
    """Tell of each text in a section that is no template."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            _check_texts((*path, field.alias or name), getattr(value, name), setting, tell)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check_texts((*path, key), inner, setting, tell)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_texts((*path, index), inner, setting, tell)
    elif isinstance(value, Secret) and "{{" in plain(value):
        tell(path, "is a template; a secret is used as it is here, so make a receiver of its own for each")
    elif isinstance(value, str) and "{{" in value:
        try:
            setting.templates.check(value)
        except UserError as error:
            tell(path, str(error))


def _made(
    receivers: Sequence[ReceiverSection], setting: Setting, first: int = 0
) -> Iterator[tuple[Path_, str, BaseIntegration]]:
    for number, receiver in enumerate(receivers, first):
        for kind, index, section in receiver.addresses():
            path = (*setting.path, number, f"{kind}_configs", index)
            module, _, name = _CLASSES[kind].partition(":")
            yield path, receiver.name, getattr(import_module(module), name)(section, setting, index, path)
