"""The command `notify test`: really sends a notification, and says what the other side answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from daemon.cli.failure import OK, PROBLEMS, CommandError
from daemon.cli.options import Json
from daemon.cli.output import Output
from daemon.cli.own import Config

if TYPE_CHECKING:
    from alerting.notify.trial import Trial
    from daemon.config import LoadedConfig

Receiver = Annotated[str, typer.Argument(metavar="RECEIVER", help="Name of a receiver of the configuration.")]
Resolved = Annotated[bool, typer.Option("--resolved", help="Tell of the end of the test alert, after its begin.")]


def test(receiver: Receiver, config: Config = None, resolved: Resolved = False, as_json: Json = False) -> int:
    """Send a test notification to every address of a receiver, now, past routes and silences.

    Exit code 1 when an address does not take it.
    """
    import asyncio  # noqa: PLC0415 - --help needs neither

    from daemon.config import load  # noqa: PLC0415

    loaded = load(config)
    trials = asyncio.run(_send(loaded, receiver, resolved=resolved))
    output = Output()
    if as_json:
        output.document({"receiver": receiver, "trials": [_document(trial) for trial in trials]})
    else:
        for trial in trials:
            output.line(_line(receiver, trial))
    return OK if all(trial.is_good for trial in trials) else PROBLEMS


async def _send(loaded: LoadedConfig, name: str, *, resolved: bool) -> list[Trial]:
    import aiohttp  # noqa: PLC0415 - --help needs none of these

    from alerting.notify.integrations import by_receiver, integrations  # noqa: PLC0415
    from alerting.notify.setting import make_setting  # noqa: PLC0415
    from alerting.notify.trial import trial_notice, try_out  # noqa: PLC0415

    root = loaded.root
    chosen = [receiver for receiver in root.receivers if receiver.name == name]
    if not chosen:
        known = ", ".join(receiver.name for receiver in root.receivers) or "none; add one under 'receivers'"
        raise CommandError(f"receiver {name!r} does not exist", f"known are: {known}")
    setting = make_setting(root.templates, loaded.base, root.global_)
    found = by_receiver(chosen, integrations(chosen, setting))[name]
    if not found:
        raise CommandError(f"receiver {name!r} has no address", "add one, such as 'webhook_configs'")
    url = (root.web.external_url or f"http://{root.web.listen}").rstrip("/")
    now = setting.clock.now()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        trials = await try_out(found, trial_notice(name, now, url), session)
        if resolved:
            trials += await try_out(found, trial_notice(name, now + 1, url, is_resolved=True), session)
    return trials


def _line(receiver: str, trial: Trial) -> str:
    word = {"delivered": "delivered", "retry": "failed", "rejected": "refused"}[trial.attempt.outcome.value]
    return f"{receiver}: {trial.integration}: {word}: {trial.attempt.detail}"


def _document(trial: Trial) -> dict[str, Any]:
    return {
        "integration": trial.integration,
        "outcome": trial.attempt.outcome.value,
        "detail": trial.attempt.detail,
    }
