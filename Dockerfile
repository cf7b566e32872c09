# One image for every office; what it runs is said by the command.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN python -m venv /opt/idservice && \
    /opt/idservice/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY crypto crypto
COPY idservice idservice
COPY docs/data-inventory.toml docs/data-inventory.toml
RUN /opt/idservice/bin/pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.11-slim
# No core dumps (they hold what memory held), no shell profile, no bytecode written at run time.
RUN useradd --system --no-create-home --uid 10001 idservice
COPY --from=build /opt/idservice /opt/idservice
ENV PATH=/opt/idservice/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER idservice
ENTRYPOINT ["idservice"]
CMD ["--help"]
