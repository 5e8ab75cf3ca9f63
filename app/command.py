"""Command: what the shell starts. All there is to import is imported here, before a line of it runs."""

from __future__ import annotations

from app.serving.garbage import set_aside


def main() -> None:
    """Entry point of the console script."""
    try:
        with set_aside():
            from app.cli import main as started
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    started()


if __name__ == "__main__":
    main()
