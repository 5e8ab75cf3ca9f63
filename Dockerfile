# Two stages: the first installs from the lock, the second runs as nobody in particular on a read-only root.
# By tag, so that a rebuild has the fixes; pin it with --build-arg BASE=python:3.12-slim@sha256:...
ARG BASE=python:3.12-slim
FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/gateway
COPY requirements.lock ./
RUN /opt/gateway/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY providers providers
COPY routing routing
COPY simulator simulator
COPY config config
RUN /opt/gateway/bin/pip install --no-deps --no-build-isolation .

FROM ${BASE}
RUN groupadd --system --gid 10001 gateway \
    && useradd --system --uid 10001 --gid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin gateway \
    && mkdir -p /data /spool && chown gateway:gateway /data /spool && chmod 700 /data /spool
COPY --from=build /opt/gateway /opt/gateway
COPY --chown=root:root config /config
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_HOST=0.0.0.0 GATEWAY_PORT=8080 GATEWAY_CONFIG_DIR=/config GATEWAY_DATA_DIR=/data GATEWAY_SPOOL_DIR=/spool
WORKDIR /data
USER 10001:10001
EXPOSE 8080
VOLUME ["/data", "/spool"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"GATEWAY_PORT\"]}/healthz', timeout=2)"]
CMD ["image-gateway", "serve"]
