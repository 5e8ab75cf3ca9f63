"""``python -m simulator``: the command line."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from simulator.hosting import serve
from simulator.settings import SimulatorSettings

MOST_BYTES_PER_PIXEL = 4
"""More than an uncompressed picture takes."""


def parsed(arguments: Sequence[str] | None = None) -> SimulatorSettings:
    """The command line as settings; leaves with a message when it is wrong."""
    plain = SimulatorSettings()
    parser = argparse.ArgumentParser(
        prog="simulator", description="Four image vendors pretended over HTTP: Gemini API, Vertex AI, fal, Replicate."
    )
    parser.add_argument("--host", default=plain.host)
    parser.add_argument("--port", type=int, default=plain.port, help="all vendors, each under its prefix")
    parser.add_argument(
        "--listen-fd", type=int, default=None, help="a listening socket to take over, instead of a port"
    )
    parser.add_argument("--tls-port", type=int, default=None, help="fal at the root, over TLS (9443 with --ca-file)")
    parser.add_argument("--ca-file", type=Path, default=None, help="where to write the TLS authority's certificate")
    parser.add_argument("--seed", type=int, default=plain.seed, help="the same seed gives the same luck")
    parser.add_argument(
        "--time-scale", type=float, default=plain.time_scale, help="how many times faster than the vendors"
    )
    parser.add_argument(
        "--bytes-per-pixel",
        type=float,
        default=plain.bytes_per_pixel,
        help="what a PNG or JPEG weighs at least; 1 is real",
    )
    parser.add_argument(
        "--exit-with-stdin", action="store_true", help="stop when standard input ends, as it does when a parent dies"
    )
    given = parser.parse_args(arguments)
    if not 0 < given.time_scale < float("inf"):
        parser.error("--time-scale must be greater than 0")
    if not 0 <= given.bytes_per_pixel <= MOST_BYTES_PER_PIXEL:
        parser.error(f"--bytes-per-pixel must be from 0 to {MOST_BYTES_PER_PIXEL}")
    for port in (given.port, given.tls_port):
        if port is not None and not 0 <= port <= 65535:
            parser.error(f"{port} is not a port")
    return SimulatorSettings(
        host=given.host,
        port=given.port,
        listen_fd=given.listen_fd,
        tls_port=given.tls_port,
        ca_file=given.ca_file,
        seed=given.seed,
        time_scale=given.time_scale,
        bytes_per_pixel=given.bytes_per_pixel,
        exit_with_stdin=given.exit_with_stdin,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    settings = parsed(arguments)
    try:
        asyncio.run(serve(settings, lambda text: print(text, flush=True)))
    except OSError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
