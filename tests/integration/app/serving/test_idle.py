"""Idle connections: kept for as long as requests come, closed a while after the last, whatever timer was set before."""

from __future__ import annotations

import gc
import socket
import struct
import time
import weakref

from tests.integration.app.serving.wire_server import PATIENCE_S, wire_server

KEPT_S = 3
REQUEST = b"POST /idle HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"


def test_a_connection_is_kept_for_a_while_from_its_last_answer_on() -> None:
    with wire_server(keep_alive_s=KEPT_S) as serving:
        with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
            for _ in range(4):
                asked = time.monotonic()
                client.sendall(REQUEST)
                assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
                time.sleep(0.5 * KEPT_S)
            assert client.recv(65536) == b""
            assert time.monotonic() - asked > 0.9 * KEPT_S
        serving.until_closed()


def test_a_request_that_takes_longer_than_a_connection_is_kept_is_answered() -> None:
    kept_s = 2
    with wire_server(keep_alive_s=kept_s) as serving:
        with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
            client.sendall(REQUEST)
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
            client.sendall(REQUEST.replace(b"/idle", b"/held"))
            serving.until_served("/held")
            time.sleep(1.2 * kept_s)
            serving.release.set()
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
            assert client.recv(65536) == b""
        serving.until_closed()


def test_nothing_is_kept_of_a_connection_that_was_reset_while_it_was_idle() -> None:
    with wire_server(keep_alive_s=600) as serving:
        with socket.create_connection(("127.0.0.1", serving.port), timeout=PATIENCE_S) as client:
            client.sendall(REQUEST)
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
            assert serving.server is not None
            (connection,) = serving.server.server_state.connections
            kept = weakref.ref(connection)
            del connection
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        serving.until_closed()
        give_up = time.monotonic() + PATIENCE_S
        while kept() is not None:
            assert time.monotonic() < give_up
            gc.collect()
            time.sleep(0.01)
