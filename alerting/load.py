"""From a validated config to rules and addresses: reads rule files and finds all their mistakes at once."""

from __future__ import annotations

import glob
from pathlib import Path

from alerting.config import AlertingConfig
from alerting.default_rules import enabled_default_groups
from alerting.escalation_config import escalation_problems
from alerting.notify.global_config import NO_NOTIFICATION_DEFAULTS, NotificationDefaults
from alerting.rule import NO_DEFAULTS, Group, GroupDefaults
from alerting.rule_file import groups_of, read_rule_file, with_unique_keys
from alerting.schedule_config import schedule_problems
from alerting.threshold import threshold_group
from core.errors import ConfigError, Problem
from core.yaml_file import Document, Path_


def load_rules(
    config: AlertingConfig,
    base: Path,
    document: Document | None = None,
    defaults: GroupDefaults = NO_DEFAULTS,
    notification: NotificationDefaults = NO_NOTIFICATION_DEFAULTS,
) -> tuple[Group, ...]:
    """Return all rules of a config, in the order: its own groups, its thresholds, its rule files, the built-in ones.

    Args:
        base: the folder that relative paths start from.
        document: the config file, for the places of its mistakes.
        defaults: how often groups are evaluated, and how far in the past, that do not say it themselves.
        notification: what receivers take that do not say it themselves.
    Raises: ConfigError: every mistake in every rule file, in files that receivers name, and in templates.
    """
    file = document.file if document is not None else "config"
    groups = groups_of(config.groups, file, document=document, defaults=defaults)
    if config.thresholds:
        groups.append(threshold_group(config.thresholds, file, defaults=defaults))
    problems: list[Problem] = []
    for path in _rule_files(config, base, document, problems):
        try:
            groups += read_rule_file(path, defaults)
        except ConfigError as error:
            problems += error.problems
    problems += _receiver_problems(config, base, document, notification)
    problems += _escalation_problems(config, document or Document("config"))
    if problems:
        raise ConfigError(problems)
    if config.default_rules.enabled:
        groups += enabled_default_groups(config.default_rules.disable, defaults)
    return with_unique_keys(groups)


def _rule_files(config: AlertingConfig, base: Path, document: Document | None, problems: list[Problem]) -> list[Path]:
    found: dict[Path, None] = {}
    for index, pattern in enumerate(config.rule_files):
        if not glob.has_magic(pattern):
            found[base / pattern] = None
            continue
        try:
            matches = sorted(glob.glob(str(base / pattern), recursive=True))  # noqa: PTH207 - absolute patterns too
        except ValueError as error:
            problems.append(_problem(document, ("rule_files", index), f"is no pattern: {error}; correct it"))
            continue
        found |= dict.fromkeys(Path(match) for match in matches)
    return list(found)


def _escalation_problems(config: AlertingConfig, document: Document) -> list[Problem]:
    known = {
        "receiver": [receiver.name for receiver in config.receivers],
        "person": [person.name for person in config.people],
        "schedule": [schedule.name for schedule in config.schedules],
    }
    return [
        *schedule_problems(config.people, config.schedules, known["receiver"], document),
        *escalation_problems(config.escalation_policies, config.incidents.escalation, known, document),
    ]


def _receiver_problems(
    config: AlertingConfig, base: Path, document: Document | None, notification: NotificationDefaults
) -> list[Problem]:
    if not config.receivers:
        return []
    # Imported here because a daemon that tells nobody needs none of it.
    from alerting.notify.integrations import check  # noqa: PLC0415
    from alerting.notify.setting import make_setting  # noqa: PLC0415
    from alerting.template.error import TemplateError  # noqa: PLC0415

    try:
        setting = make_setting(config.templates, base, notification)
    except TemplateError as error:
        return [_problem(document, ("templates",), str(error))]
    return check(config.receivers, setting, document)


def _problem(document: Document | None, path: Path_, message: str) -> Problem:
    if document is not None:
        return document.problem(path, message)
    return Problem("config", 0, 0, ".".join(map(str, path)), message)
