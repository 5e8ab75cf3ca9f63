"""Main: the only place where things are constructed and joined."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp

from app.accounts.keys import Keys
from app.admission.descriptors import available
from app.admission.limits import limits_for
from app.admission.memory import memory_bytes
from app.admission.space import Space
from app.admission.visit import Admission
from app.admission_metrics import AdmissionCollector, AdmissionMetrics
from app.catalog.catalog import Catalog, UnknownModelError
from app.catalog.load import load_catalog
from app.doors.admitting import Admitting
from app.doors.edge import Edge
from app.doors.failures import answer_in_the_envelope
from app.doors.hosted import routes as hosted
from app.doors.openai_images import routes as openai_images
from app.doors.openapi import routes as openapi
from app.doors.ops import routes as ops
from app.doors.route_table import UndeclaredRouteError, registered
from app.doors.shortcuts import Shortcuts
from app.draining import Draining
from app.gateway import Gateway
from app.hosting.hosting import Hosting
from app.hosting.location import HostingSetupError
from app.hosting_metrics import HostingMetrics
from app.media.inputs import Inputs
from app.services import Services
from app.settings import KEY_HINTS, Settings, is_loopback
from app.shared_metrics import SharedMetrics
from app.sharing import Sharing
from app.telemetry import Telemetry
from providers.converse import Driver, Provider
from providers.credentials import CredentialUnavailableError
from providers.fetching import Fetcher
from providers.registry import PROVIDERS, connect, schemas
from providers.transport import Transport
from providers.workers import Workers
from routing.policy import Policy
from routing.stats.store import StatsStore

LEAVE_MARGIN_S = 2.0
"""Seconds shutdown waits for cancel calls to vendors beyond the grace of a submit and the limit of a cancel."""


class StartError(Exception):
    """The gateway cannot start. The message is one sentence for the operator."""


def connected(settings: Settings) -> Mapping[str, Provider]:
    """The providers whose keys are set. May read files and ask the metadata server: not for the event loop.

    Raises StartError when a provider's setting cannot be used.
    """
    providers = {}
    for name in PROVIDERS:
        access = settings.access(name)
        if not access.given:
            continue
        try:
            providers[name] = connect(name, access)
        except CredentialUnavailableError as unavailable:
            raise StartError(f"{name}: {unavailable}; set {KEY_HINTS[name]}.") from None
    return providers


def load(settings: Settings) -> Catalog:
    """The whole catalog, whoever has a key. Raises CatalogError."""
    return load_catalog(settings.gateway_config_dir, providers=schemas())


def offered(settings: Settings, catalog: Catalog | None = None) -> tuple[Mapping[str, Provider], Catalog]:
    """The providers there are keys for, and what they sell. Raises StartError or CatalogError.

    ``catalog`` stands in for the one of the settings' configuration folder.
    """
    providers = connected(settings)
    sold = (catalog or load(settings)).restricted_to(providers)
    if not sold.offers:
        hints = "; ".join(f"{hint} ({name})" for name, hint in KEY_HINTS.items())
        raise StartError(f"No provider has a key, so there is nothing to offer: set at least one of {hints}.")
    return providers, sold


@dataclass(frozen=True, slots=True)
class Assembled:
    """A gateway and its hands."""

    gateway: Gateway
    workers: Workers
    inputs: Inputs


@asynccontextmanager
async def assembled(
    settings: Settings,
    providers: Mapping[str, Provider],
    catalog: Catalog,
    telemetry: Telemetry,
    store: StatsStore | None,
    workers: Workers | None = None,
) -> AsyncIterator[Assembled]:
    """A gateway with its hands, for as long as the context lasts; its end waits for cancel calls to vendors.

    ``store`` is what ``shared_store`` gave. ``workers`` are closed with it; None: its own.
    """
    policy = catalog.policy
    workers = workers or Workers()
    memory = settings.gateway_reply_memory
    transport = Transport(workers=workers, spool_dir=settings.gateway_spool_dir, reply_memory=memory)
    driver = Driver(transport, submit_grace_s=policy.submit_grace_s, cancel_limit_s=policy.cancel_limit_s)
    gateway = Gateway(
        offers=catalog.offers,
        providers=providers,
        prices=catalog.prices,
        policy=policy,
        driver=driver,
        telemetry=telemetry,
        workers=workers,
    )
    telemetry.watch(gateway.board, gateway.clock)
    sharing = None
    if store is not None:
        sharing = Sharing(
            store, gateway.board, interval_s=policy.sharing_interval_s, instruments=telemetry, clock=gateway.clock
        )
        await sharing.start()
    fetcher = Fetcher(settings.gateway_spool_dir, allow_private=settings.gateway_fetch_private)
    try:
        yield Assembled(gateway, workers, Inputs(workers, fetcher.fetch, spool_dir=settings.gateway_spool_dir))
    finally:
        await fetcher.close()
        await driver.close(policy.submit_grace_s + policy.cancel_limit_s + LEAVE_MARGIN_S)
        if sharing is not None:
            await sharing.stop()
        await transport.close()
        workers.close()


def shared_store(settings: Settings, policy: Policy) -> StatsStore | None:
    """Where the board is kept in step with other replicas': in Redis, which is asked when it is first used; None when
    none is set. Raises StartError for a URL that is none of a Redis."""
    if settings.redis_url is None:
        return None
    from routing.stats.redis_store import RedisStore  # here: 6 MB and a tenth of a second that few need

    try:
        return RedisStore(
            settings.redis_url.get_secret_value(),
            replica=uuid.uuid4().hex,
            lease_s=policy.exploration.lease_s,
            prefix=settings.redis_prefix,
        )
    except ValueError as unusable:
        raise StartError(f"REDIS_URL cannot be used: {unusable}.") from None


def _hosting(settings: Settings, workers: Workers, telemetry: Telemetry) -> Hosting:
    key = settings.gateway_signing_key
    try:
        return Hosting(
            store_url=settings.gateway_image_store,
            data_dir=settings.gateway_data_dir,
            signing_key=None if key is None else key.get_secret_value(),
            ttl_s=settings.gateway_image_ttl_s,
            public_url=settings.gateway_public_url,
            urls=settings.gateway_image_urls,
            workers=workers,
            instruments=HostingMetrics(telemetry.registry),
        )
    except HostingSetupError as unusable:
        raise StartError(str(unusable)) from None


def _admission(settings: Settings, telemetry: Telemetry) -> Admission:
    limits = limits_for(
        max_in_flight=settings.gateway_max_in_flight,
        max_in_flight_per_key=settings.gateway_max_in_flight_per_key,
        queue_limit=settings.gateway_queue_limit,
        queue_s=settings.gateway_queue_seconds,
        body_budget=settings.gateway_body_budget,
        workers=settings.gateway_workers,
        memory=memory_bytes(),
        descriptors=available(),
    )
    space = Space(Path(settings.gateway_spool_dir or tempfile.gettempdir()), time.monotonic)
    admission = Admission(limits, AdmissionMetrics(telemetry.registry), space=space.there_is)
    telemetry.show(AdmissionCollector(admission))
    return admission


def create_app(
    settings: Settings,
    *,
    catalog: Catalog | None = None,
    draining: Draining | None = None,
    shared: SharedMetrics | None = None,
) -> ASGIApp:
    """The application, ready to be served. Raises StartError or CatalogError, each with one sentence.

    ``catalog`` stands in for the one of the settings' configuration folder. ``draining``: what the server says of its
    end. ``shared``: this process is one of several workers.
    """
    draining = draining or Draining()
    if not settings.api_keys and not is_loopback(settings.gateway_host):
        raise StartError(
            f"GATEWAY_API_KEYS is not set, so the gateway serves this machine only and cannot bind to "
            f"{settings.gateway_host}: set GATEWAY_API_KEYS, or GATEWAY_HOST=127.0.0.1."
        )
    providers, sold = offered(settings, catalog)
    try:
        sold.find(None, default_model=settings.gateway_default_model)
    except UnknownModelError as unknown:
        raise StartError(f"GATEWAY_DEFAULT_MODEL={settings.gateway_default_model}: {unknown}") from None
    store = shared_store(settings, sold.policy)
    telemetry, workers = Telemetry(shared), Workers()
    hosting = _hosting(settings, workers, telemetry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with assembled(settings, providers, sold, telemetry, store, workers) as hands, telemetry.written_down():
            await hosting.start(sweep=shared is None or shared.place == 0)  # for all workers of this machine
            app.state.hosting = hosting
            own = Services(
                catalog=sold,
                gateway=hands.gateway,
                telemetry=telemetry,
                workers=hands.workers,
                inputs=hands.inputs,
                hosting=hosting,
                default_model=settings.gateway_default_model,
                spool_dir=settings.gateway_spool_dir,
                output_format=settings.gateway_output_format,
                draining=draining,
            )
            app.state.services = own
            try:
                yield
            finally:
                own.draining.begun = True
                await hosting.stop()

    app = FastAPI(
        title="Image gateway",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    try:
        permissions = registered(app, ops.router, openapi.router, hosted.router, openai_images.router)
    except UndeclaredRouteError as undeclared:
        raise StartError(str(undeclared)) from None
    answer_in_the_envelope(app)
    metrics_key = settings.gateway_metrics_key
    return Edge(
        Admitting(Shortcuts(app, openai_images.BUSIEST), _admission(settings, telemetry)),
        permissions=permissions,
        keys=Keys(settings.api_keys),
        metrics_keys=Keys([metrics_key.get_secret_value()] if metrics_key is not None else []),
        telemetry=telemetry,
        draining=draining,
    )
