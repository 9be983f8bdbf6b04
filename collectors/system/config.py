"""What can be said about the machine's own metrics in the config file."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from core.config import Duration, Section


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}; correct it or escape the character") from None
    return text


Regex = Annotated[str, AfterValidator(_regex)]


class SystemConfig(Section):
    """Section `system`. The patterns are node_exporter's defaults; each is searched for in the whole name."""

    enabled: bool = Field(True, description="Whether this machine is measured.", examples=[True])
    interval: Duration | None = Field(
        None, gt=0, description="How often; without it, that of `global`.", examples=["15s"]
    )
    mountpoints_exclude: Regex = Field(
        r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
        description="Mount points that are left out.",
        examples=["^/(dev|proc|sys)($|/)"],
    )
    filesystem_types_exclude: Regex = Field(
        r"^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs"
        r"|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$",
        description="File system types that are left out.",
        examples=["^(tmpfs|overlay)$"],
    )
    disks_exclude: Regex = Field(
        r"^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
        description="Block devices that are left out.",
        examples=["^(loop|zram)"],
    )
    network_devices_exclude: Regex = Field(
        r"^lo$", description="Network devices that are left out.", examples=["^(lo|veth.*)$"]
    )
