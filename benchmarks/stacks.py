"""The two sides: Watchkeeper, and node_exporter + Prometheus + Alertmanager doing the same job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import Peer, free_port, program, running, wait_until_answers, watchkeeper


@dataclass(frozen=True, slots=True)
class Stack:
    """Programs that do the job together."""

    name: str
    peers: tuple[Peer, ...]
    url: str


@contextmanager
def watchkeeper_stack(folder: Path, config: str, *, port: int | None = None) -> Iterator[Stack]:
    """Run the daemon with `config`, to which the address and the state folder are added."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    file = folder / "watchkeeper.yml"
    file.write_text(f"web: {{listen: '127.0.0.1:{port}'}}\nstate: {{directory: {folder / 'state'}}}\n{config}")
    with running("watchkeeper", watchkeeper(file), folder) as peer:
        url = f"http://127.0.0.1:{port}"
        wait_until_answers(f"{url}/-/ready")
        yield Stack("watchkeeper", (peer,), url)


@contextmanager
def prometheus_stack(
    folder: Path,
    *,
    interval: str,
    rules: str,
    targets: dict[str, str],
    webhook: str | None = None,
    with_node_exporter: bool = True,
) -> Iterator[Stack]:
    """Run Prometheus and Alertmanager, and node_exporter where asked, as their documentation sets them up.

    Args:
        targets: job name to address.
        webhook: where Alertmanager sends notifications.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prometheus_port, alertmanager_port, node_port = free_port(), free_port(), free_port()
    jobs = dict(targets, node=f"127.0.0.1:{node_port}") if with_node_exporter else dict(targets)
    scrape = "".join(
        f"  - job_name: {job}\n    static_configs: [{{targets: ['{address}']}}]\n" for job, address in jobs.items()
    )
    (folder / "rules.yml").write_text(rules)
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: {interval}, evaluation_interval: {interval}}}\n"
        f"rule_files: [{folder / 'rules.yml'}]\n"
        f"alerting:\n  alertmanagers:\n    - static_configs: [{{targets: ['127.0.0.1:{alertmanager_port}']}}]\n"
        f"scrape_configs:\n{scrape}"
    )
    receiver = f"webhook_configs: [{{url: '{webhook}'}}]" if webhook else ""
    (folder / "alertmanager.yml").write_text(
        "route: {receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
        f"receivers:\n  - name: hook\n    {receiver}\n"
    )
    alertmanager = [
        program("prometheus-alertmanager"), f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'am'}", f"--web.listen-address=127.0.0.1:{alertmanager_port}",
        "--cluster.listen-address=",
    ]  # fmt: skip
    prometheus = [
        program("prometheus"), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{prometheus_port}",
    ]  # fmt: skip
    with ExitStack() as stack:
        peers = [stack.enter_context(running("alertmanager", alertmanager, folder))]
        if with_node_exporter:
            node = [program("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{node_port}"]
            peers.append(stack.enter_context(running("node_exporter", node, folder)))
            wait_until_answers(f"http://127.0.0.1:{node_port}/metrics")
        wait_until_answers(f"http://127.0.0.1:{alertmanager_port}/-/ready")
        peers.append(stack.enter_context(running("prometheus", prometheus, folder)))
        url = f"http://127.0.0.1:{prometheus_port}"
        wait_until_answers(f"{url}/-/ready")
        yield Stack("node_exporter + Prometheus + Alertmanager", tuple(peers), url)
