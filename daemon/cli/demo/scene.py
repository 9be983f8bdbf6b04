"""Where the demo happens: a folder, free ports, the shop's configuration and its two releases."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from daemon.cli.failure import CommandError

GOOD, BAD = "1.4.1", "1.4.2"
FAILURE_RATIO = 1 / 3
INSTANCE_PORTS = 4


@dataclass(frozen=True, slots=True)
class Scene:
    """Paths and addresses of one demo."""

    folder: Path
    web_port: int
    router_port: int
    instance_ports: tuple[int, ...]

    @property
    def url(self) -> str:
        """The daemon's address."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def config(self) -> Path:
        """The daemon's configuration."""
        return self.folder / "watchkeeper.yml"

    @property
    def state(self) -> Path:
        """The daemon's state directory."""
        return self.folder / "state"

    @property
    def log(self) -> Path:
        """What the daemon said."""
        return self.folder / "daemon.log"

    def release(self, version: str) -> Path:
        """Return the folder of a release's artifact."""
        return self.folder / "releases" / f"shop-{version}"


def examples() -> Path:
    """Return the folder of the examples: in the checkout, or where the installation put them.

    Raises: CommandError: neither is there.
    """
    places = (Path(__file__).parents[3] / "examples", Path(sys.prefix) / "share/watchkeeper/examples")
    for place in places:
        if (place / "shop/shop.py").is_file():
            return place
    tried = " and ".join(str(place) for place in places)
    raise CommandError(f"the sample shop was found neither in {tried}", "install Watchkeeper again, with its examples")


def set_up(folder: Path, port: int | None) -> Scene:
    """Write configuration and releases into `folder` and return the scene.

    Raises: CommandError: the examples are missing, or the port is in use.
    """
    source = examples()
    web_port, router_port, *instance_ports = free_ports(2 + INSTANCE_PORTS, port)
    scene = Scene(folder, web_port, router_port, tuple(instance_ports))
    scene.config.write_text(configure((source / "shop.yml").read_text(encoding="utf-8"), scene), encoding="utf-8")
    build_release(source / "shop", scene.release(GOOD), GOOD, 0.0)
    build_release(source / "shop", scene.release(BAD), BAD, FAILURE_RATIO)
    return scene


def configure(example: str, scene: Scene) -> str:
    """Return the example configuration with this scene's addresses, interpreter and state directory."""
    replacements = {
        "listen: 127.0.0.1:8797": f"listen: 127.0.0.1:{scene.web_port}",
        "127.0.0.1:8080": f"127.0.0.1:{scene.router_port}",
        "ports: 9001-9004": f"ports: {list(scene.instance_ports)}",
        "[python3, ": f"[{json.dumps(sys.executable)}, ",
    }
    for old, new in replacements.items():
        if old not in example:
            raise CommandError(f"shop.yml of the examples lacks {old!r}", "restore the file")
        example = example.replace(old, new)
    return f"{example}\nstate:\n  directory: {json.dumps(str(scene.state))}\n"


def build_release(source: Path, artifact: Path, version: str, failure_ratio: float) -> None:
    """Make an artifact: the shop's program and what its release says of itself."""
    artifact.mkdir(parents=True)
    shutil.copy(source / "shop.py", artifact / "shop.py")
    release = {"version": version, "failure_ratio": failure_ratio}
    (artifact / "release.json").write_text(json.dumps(release) + "\n", encoding="utf-8")


def free_ports(count: int, first: int | None) -> list[int]:
    """Return distinct ports of the loopback address that nothing uses, the wanted one first.

    Raises: CommandError: the wanted one is in use.
    """
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for index, probe in enumerate(probes):
            try:
                probe.bind(("127.0.0.1", first or 0 if index == 0 else 0))
            except OSError as error:
                remedy = "give another with --port, or none for any"
                raise CommandError(f"port {first} cannot be used: {error.strerror}", remedy) from None
        return [probe.getsockname()[1] for probe in probes]
