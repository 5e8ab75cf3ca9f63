"""Terminator: nginx with TLS 1.3 in front of the fake upstream, as vendors' servers are; HTTP/2 for who asks for it."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Final

import trustme

from benchmarks.image_path.compiled import CannotRunError
from benchmarks.image_path.servers import LOAD_CORE, START_S, Process, free_port

_SETTINGS: Final = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_max_body_size 100m;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 1000000;
    upstream vendor {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=8192;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        ssl_protocols TLSv1.3;
        ssl_session_cache shared:sessions:10m;
        http2_max_concurrent_streams 4096;
        location / {{
            proxy_pass http://vendor;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_buffer_size 64k;
            proxy_buffers 4 64k;
            proxy_busy_buffers_size 64k;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""


class Terminator(Process):
    """nginx on the core of the upstream, so that its part of the work is not measured."""

    def __init__(self, program: Path, upstream: int, folder: Path) -> None:
        """``upstream``: a port. Certificate, configuration and log go into ``folder``."""
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        certificate = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        settings = folder / "terminator.conf"
        settings.write_text(_SETTINGS.format(folder=folder, upstream=upstream, port=self.port))
        super().__init__(
            [program, "-p", folder, "-c", settings], core=LOAD_CORE, log=folder / "terminator.log", folder=folder
        )

    def ready(self) -> None:
        """Wait until it listens. Raises CannotRunError when it does not."""
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up:
            self.must_run("nginx")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise CannotRunError("nginx does not listen.")
