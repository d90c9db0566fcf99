# docker build -t fastweights . && docker run --rm fastweights        trains the network of the README and draws it
# docker run --rm fastweights make test                               runs the tests
#
# --build-arg PIP_EXTRA_INDEX_URL=… names an index with CPU builds of PyTorch, a tenth of the size.
FROM python:3.11-slim
ARG PIP_EXTRA_INDEX_URL

RUN apt-get update \
    && apt-get install -y --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home fastweights \
    && install -d -o fastweights /project

USER fastweights
WORKDIR /project
ENV PIP_NO_CACHE_DIR=1
COPY --chown=fastweights . .
RUN make .venv/.ready-cli,viz .venv/.ready-test

CMD ["make", "demo"]
