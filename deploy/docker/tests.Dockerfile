# The test suite with every driver, for the service "tests" of docker-compose.yml; its servers are the other services.
# Django copies a test database on MySQL by that server's client, for parallel tests.
FROM python:3.13-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        build-essential default-libmysqlclient-dev default-mysql-client pkg-config redis-server \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home tests
WORKDIR /home/tests/workerd
COPY --chown=tests . .
RUN pip install --no-cache-dir -e '.[test,mysql]' && chown tests .
USER tests
