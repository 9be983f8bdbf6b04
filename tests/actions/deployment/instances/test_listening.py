from __future__ import annotations

import os
import socket

from actions.deployment.instances import listening

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0 20 4 30 10 -1
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
"""


def test_only_listening_sockets_of_the_port_are_taken() -> None:
    assert listening.listening_inodes(TABLE, 0x1F90) == {"111"}
    assert listening.listening_inodes(TABLE, 22) == {"333"}
    assert listening.listening_inodes(TABLE, 23) == set()


def test_listener_is_named_by_pid_and_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listening.is_listening(port)
        assert f"process {os.getpid()} (" in listening.listener(port)
    assert not listening.is_listening(port)
