"""The command line: serve, demo, simulate, check, route, generate, edit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console

from app.catalog.files import CatalogError
from app.catalog.table import offer_rows, render
from app.demo import Simulation, chosen, simulated_settings
from app.generate import PictureError, Wish, make_pictures
from app.log import set_up_logging
from app.main import StartError, load
from app.picture_files import Target
from app.route_command import NoRouteError, show_route
from app.serving.serve import serve
from app.settings import Settings
from providers.registry import PROVIDERS
from providers.spec.request import OutputFormat

cli = typer.Typer(
    name="image-gateway",
    help="Self-hosted gateway that speaks the OpenAI Images API and buys each image from the best provider for it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback shows local variables, and those may be keys
    add_completion=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@cli.command("serve")
def serve_command() -> None:
    """Serve the providers whose keys are set. Never starts or uses a simulator."""
    _run(lambda settings: serve(settings, set_up_logging()))


@cli.command("demo")
def demo_command(
    simulate: Annotated[
        str,
        typer.Option(help="Providers to simulate beside the real ones, comma-separated, for example fal,replicate."),
    ] = "",
    time_scale: Annotated[
        float, typer.Option(min=0.1, help="How many times faster than life the simulator is.")
    ] = 10.0,
) -> None:
    """Serve; with no provider key set, all four vendors are simulated."""

    def run(settings: Settings) -> None:
        names = chosen(settings, simulate)
        set_up_logging()
        if not names:
            out.print("Real providers only; nothing is simulated.")
            serve(settings, out.print)
            return
        with Simulation(time_scale=time_scale) as simulation:
            out.print(
                f"[bold]Simulated:[/bold] {', '.join(names)}. Their images are pretended and cost nothing; latencies "
                f"are {time_scale:g} times shorter than life. Set a provider key to get real images: .env.example."
            )
            serve(simulated_settings(settings, names, simulation.base_url), out.print)

    _run(run)


@cli.command("simulate", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def simulate_command(context: typer.Context) -> None:
    """Run the vendor simulator alone. Options are the simulator's own; try --help after a "--"."""
    os.execv(sys.executable, [sys.executable, "-m", "simulator", *context.args])  # noqa: S606 - our own module


@cli.command("check")
def check_command() -> None:
    """Check the configuration and print the table of offers."""

    def run(settings: Settings) -> None:
        catalog = load(settings)
        keys = {name: settings.access(name).given for name in PROVIDERS}
        Console(highlight=False, width=None if out.is_terminal else 160).print(render(offer_rows(catalog, keys)))
        with_key = sum(1 for offer in catalog.offers if keys[offer.provider])
        out.print(f"{len(catalog.models)} models, {len(catalog.offers)} offers, {with_key} with a key set.")

    _run(run)


@cli.command("route")
def route_command(
    prompt: Annotated[str, typer.Argument(help="What would be drawn; nobody is asked to.")] = "a picture",
    model: Annotated[str | None, typer.Option(help="Model name or alias; the default model when absent.")] = None,
    size: Annotated[str | None, typer.Option(help="WxH, a ratio such as 16:9, or a tier such as 2K.")] = None,
    policy: Annotated[str | None, typer.Option(help="Routing policy, for example cheapest.")] = None,
    value_of_time: Annotated[float | None, typer.Option(help="USD that a second of waiting is worth.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds the whole request may take.")] = None,
    provider: Annotated[str | None, typer.Option(help=f"Only this provider: {', '.join(PROVIDERS)}.")] = None,
    url: Annotated[
        str | None,
        typer.Option(help="A running gateway to ask, for example http://127.0.0.1:8080; its figures are live."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as POST /v1/route answers it.")] = False,
) -> None:
    """Print which providers would be tried for a request, in which order and why."""
    body = {
        "prompt": prompt, "model": model, "size": size, "policy": policy, "value_of_time": value_of_time,
        "timeout": timeout, "provider": provider,
    }  # fmt: skip
    _run(lambda settings: show_route(settings, out, err, body=body, url=url, as_json=as_json))


Output = Annotated[Path, typer.Option("-o", "--output", help="File to write; its ending picks the format.")]
Count = Annotated[int, typer.Option("-n", min=1, max=10, help="How many images; the files are numbered.")]
Format = Annotated[
    OutputFormat | None,
    typer.Option("--format", help="Format of the images, in place of the one of the file's ending."),
]
Model = Annotated[str | None, typer.Option(help="Model name or alias; the default model when absent.")]
Size = Annotated[str | None, typer.Option(help="WxH, a ratio such as 16:9, or a tier such as 2K.")]
Pinned = Annotated[str | None, typer.Option(help=f"Ask only this provider: {', '.join(PROVIDERS)}.")]


@cli.command("generate")
def generate_command(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    output: Output = Path("image.png"),
    n: Count = 1,
    format: Format = None,
    model: Model = None,
    size: Size = None,
    provider: Pinned = None,
) -> None:
    """Make images and write them to files."""
    _draw(Wish(prompt, Target(output, format), model=model, size=size, provider=provider, n=n))


@cli.command("edit")
def edit_command(
    images: Annotated[list[Path], typer.Argument(help="The picture to change, and others to look at.")],
    prompt: Annotated[str, typer.Argument(help="What to make of it.")],
    output: Output = Path("image.png"),
    mask: Annotated[
        Path | None, typer.Option(help="PNG of the same size; what is transparent in it is changed.")
    ] = None,
    n: Count = 1,
    format: Format = None,
    model: Model = None,
    size: Size = None,
    provider: Pinned = None,
) -> None:
    """Make images from pictures and a prompt: image-gateway edit photo.png "make it night" -o night.png."""
    target = Target(output, format)
    _draw(Wish(prompt, target, model=model, size=size, provider=provider, n=n, images=tuple(images), mask=mask))


def _draw(wish: Wish) -> None:
    def run(settings: Settings) -> None:
        wish.check()
        names = chosen(settings, "")
        set_up_logging(quiet=True)
        if not names:
            asyncio.run(make_pictures(settings, err, wish))
            return
        err.print("No provider key is set: the vendors are simulated.")
        with Simulation(time_scale=10.0) as simulation:
            asyncio.run(make_pictures(simulated_settings(settings, names, simulation.base_url), err, wish))

    _run(run)


def _run(command: Callable[[Settings], None]) -> None:
    """Run a command with the operator's settings; every expected failure is one sentence and exit code 1."""
    # As an exception, so that whatever was started (the simulator, an image) is cleaned up on the way out.
    signal.signal(signal.SIGTERM, _exit)
    try:
        command(Settings())
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        _fail(f"{name}: {first['msg']}.")
    except (CatalogError, StartError, PictureError, NoRouteError) as failed:
        _fail(str(failed))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise SystemExit(0)


def _fail(sentence: str) -> NoReturn:
    err.print(sentence, style="bold red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def main() -> None:
    """The command line."""
    cli()


if __name__ == "__main__":
    main()
