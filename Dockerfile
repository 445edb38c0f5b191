# Both commands in a container:
#     docker build -t fedlib .
#     docker run --rm -v "$PWD/_build:/book/_build" fedlib            # make book
#     docker run --rm fedlib make test
FROM python:3.12-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

# Torch without CUDA is a tenth as large. On a GPU, build with --build-arg TORCH_INDEX=https://pypi.org/simple
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV VENV=/opt/venv PIP_EXTRA_INDEX_URL=${TORCH_INDEX} PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

WORKDIR /book
# The environment is made from these files alone, so that a change of others does not make it anew.
COPY pyproject.toml constraints.txt README.md LICENSE Makefile ./
COPY tools/set_up.py tools/
COPY fedlib fedlib
RUN make setup
COPY . .
# A mounted folder belongs to another user, and git would refuse to say which commit this is.
RUN git config --system --add safe.directory /book

CMD ["make", "book"]
