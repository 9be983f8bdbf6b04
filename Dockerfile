# syntax=docker/dockerfile:1
# Two stages: the first has what building needs, the second only what running needs.
FROM python:3.11-slim AS build
WORKDIR /build
COPY packaging/requirements.lock packaging/requirements.lock
RUN python -m venv /opt/watchkeeper \
 && /opt/watchkeeper/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r packaging/requirements.lock
COPY . .
RUN /opt/watchkeeper/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
 && /opt/watchkeeper/bin/pip uninstall --yes hatchling editables pip

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Watchkeeper" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/watchkeeper /opt/watchkeeper
ENV PATH=/opt/watchkeeper/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STATE_DIRECTORY=/var/lib/watchkeeper
RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/watchkeeper /etc/watchkeeper
USER 65532:65532
VOLUME /var/lib/watchkeeper
EXPOSE 8797
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["watchkeeper", "healthcheck"]
STOPSIGNAL SIGTERM
# Inside a container, loopback reaches nobody: a config with web.listen and web.token_file opens it (docs/operating.md).
ENTRYPOINT ["watchkeeper"]
CMD ["run"]
