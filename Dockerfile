# docker build -t fastweights . && docker run --rm fastweights        trains the network of the README and draws it
# docker run --rm fastweights make test                               runs the tests
#
# --build-arg PIP_EXTRA_INDEX_URL=… names an index with CPU builds of PyTorch, a tenth of the size.
FROM python:3.11-slim
ARG PIP_EXTRA_INDEX_URL

# Debian drops a version once it has a newer one: to name one would break the build within weeks.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home fastweights \
    && install -d -o fastweights /project

USER 1000
WORKDIR /project
ENV PIP_NO_CACHE_DIR=1
COPY --chown=fastweights . .
RUN make .venv/.ready-cli,viz .venv/.ready-test

CMD ["make", "demo"]
