"""The contract of every action: what an operation does, as steps that are safe to repeat.

An action is a plugin of the entry point group `watchkeeper.actions`; the entry point's name is the operation's kind.
It decides (plan, settle) and describes single steps; the runner around it writes every intent to the logbook before
the step, retries, keeps the deadline, honours cancellation and resumes after a crash. Third parties implement exactly
this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from pydantic import ValidationError

from actions.operation import JSON
from core.clock import Clock
from core.config import Section
from core.errors import NotFoundError, PermanentError, UserError
from core.plugin import load_plugin, plugin_names

if TYPE_CHECKING:
    from actions.deployment.site import Site

ENTRY_POINT_GROUP = "watchkeeper.actions"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan; plain data, because the plan is stored and followed after a restart too.

    Attributes:
        name: unique within the operation.
        arguments: what the step needs to know.
        cancellable: false where going on is safer than stopping: what lies past the point of no return.
    """

    name: str
    arguments: Mapping[str, JSON] = field(default_factory=dict)
    cancellable: bool = True

    def to_json(self) -> JSON:
        """Return the step as it is stored."""
        return {"name": self.name, "arguments": dict(self.arguments), "cancellable": self.cancellable}

    @staticmethod
    def from_json(data: JSON) -> PlannedStep:
        """Read what `to_json` gave."""
        return PlannedStep(data["name"], data["arguments"], data["cancellable"])


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an operation in their order, and what its end will report as the result."""

    steps: tuple[PlannedStep, ...]
    result: Mapping[str, JSON] = field(default_factory=dict)

    def to_json(self) -> JSON:
        """Return the plan as it is stored."""
        return {"steps": [step.to_json() for step in self.steps], "result": dict(self.result)}

    @staticmethod
    def from_json(data: JSON) -> Plan:
        """Read what `to_json` gave."""
        return Plan(tuple(PlannedStep.from_json(step) for step in data["steps"]), data["result"])


class Ending(StrEnum):
    """Why an operation's steps were left before the last one."""

    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Order:
    """What an action is asked to do.

    Attributes:
        id: the operation's; also the idempotency key towards the outside world.
        created_at: when it was asked for, Unix seconds.
        automatic: the daemon asked for it, not a person.
    """

    id: str
    service: str
    environment: str
    parameters: Mapping[str, JSON]
    requested_by: str
    reason: str
    created_at: float
    automatic: bool


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What an action may use of the daemon.

    Attributes:
        site: the service and environment that the operation is about; None where it names none.
        base: the folder that relative paths of the configuration start from.
    """

    clock: Clock
    base: Path
    site: Site | None = None

    def need_site(self) -> Site:
        """Return the site.

        Raises: PermanentError: the operation names no service that is configured.
        """
        if self.site is None:
            raise PermanentError("the operation names no configured service; give `service` and `environment`")
        return self.site


class Step(Protocol):
    """One change of the world, written as "make it so"."""

    async def observe(self) -> str | None:
        """Return, in one line, how it is already so; None when there is something to do."""

    async def make_it_so(self) -> str:
        """Do it, whatever part of it has been done before, and return in one line what is so now.

        Raises:
            TransientError: it may work later; it is tried again until the operation's deadline.
            PermanentError, UserError: it cannot work; the operation is settled.
        """


class Action(Protocol):
    """A kind of operation. One object serves all operations of its kind; it keeps no state."""

    parameters_type: ClassVar[type[Section]]
    """Validates the operation's parameters."""

    needs_service: ClassVar[bool]
    """Whether it makes sense only for a configured service."""

    exclusive: ClassVar[bool]
    """Whether it takes the service's lock: one such operation at a time per service and environment."""

    async def check(self, order: Order, context: ActionContext) -> None:
        """Refuse, before anything is recorded, what cannot be done now.

        Raises: UserError: with the reason and the remedy.
        """

    async def plan(self, order: Order, context: ActionContext) -> Plan:
        """Look at the world and return the steps; safe to repeat, called once more if its answer was lost.

        Raises: UserError, PermanentError: it cannot be done; nothing has been changed.
        """

    def step(self, step: PlannedStep, order: Order, context: ActionContext) -> Step:
        """Return what carries out a planned step, of the plan or of the settling."""

    async def settle(
        self, done: Sequence[PlannedStep], ending: Ending, order: Order, context: ActionContext
    ) -> Sequence[PlannedStep]:
        """Return the steps that put things in order after the operation was left early.

        Args:
            done: the steps that were begun, the last of them perhaps half-way.
        """


def action_kinds() -> list[str]:
    """Return the kinds of operation that are installed."""
    return plugin_names(ENTRY_POINT_GROUP)


def known_action(kind: str) -> Action:
    """Return the action for a kind of operation that somebody named.

    Raises: NotFoundError: there is no such kind; the known ones are listed.
    """
    if kind not in action_kinds():
        raise NotFoundError(f"no operation {kind!r}; known are {', '.join(action_kinds())}")
    return load_action(kind)


def check_parameters(kind: str, parameters: Mapping[str, JSON], where: str) -> dict[str, JSON]:
    """Return an operation's parameters as plain data, checked; what was not given stays open for the action's default.

    Raises: UserError: naming `where`, each wrong parameter and what it should be.
    """
    try:
        model = known_action(kind).parameters_type.model_validate(dict(parameters))
    except ValidationError as error:
        told = "; ".join(_told(details["loc"], details["msg"]) for details in error.errors())
        raise UserError(f"{where}: {told}") from None
    return model.model_dump(mode="json", exclude_unset=True)


def _told(location: tuple[int | str, ...], message: str) -> str:
    path = ".".join(str(part) for part in location)
    return f"{path}: {message.removeprefix('Value error, ')}" if path else message


@cache
def load_action(kind: str) -> Action:
    """Return the action for a kind of operation.

    Raises: PermanentError: no such plugin, or it is broken.
    """
    plugin = load_plugin(ENTRY_POINT_GROUP, kind)
    if not callable(plugin):
        raise PermanentError(f"plugin {kind!r} of {ENTRY_POINT_GROUP} is no class; its entry point must name one")
    action: Action = plugin()
    return action
