"""Real clients of Redis and memcached over forks: what becomes of their sockets, and whose answers a process hears."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backends.server import free_port
from tests.harness.waiting import eventually

from .conftest import RunScript

pytestmark = pytest.mark.backends("sqlite")


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def serve() -> Iterator[Callable[[str, list[str], int], int]]:
    """Return a function that starts a cache server of the test's own and returns its port."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(binary: str, arguments: list[str], port: int) -> int:
        path = shutil.which(binary)
        if path is None:
            pytest.skip(f"{binary} is not installed here")
        command = [path, *arguments]
        servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        eventually(lambda: answers(port), within=60, what=f"{binary} answers")
        return port

    yield start
    for server in servers:
        server.kill()
        server.wait()


def test_a_redis_client_is_named_once_and_reconnects_in_each_child(
    serve: Callable[..., int], run_script: RunScript, tmp_path: Path
) -> None:
    port = free_port()
    serve("redis-server", ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)], port)
    backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{port}"}

    result, events = run_script("fork:real_cache", settings={"CACHES": {"default": backend}})

    assert result == {"reasons": ["", ""], "children": [100, 100, 100, 100], "parent": 100}
    assert named(events, "socket.inherited") == [f"the cache “default” at 127.0.0.1:{port}"]


def test_a_memcached_client_is_closed_before_each_fork(serve: Callable[..., int], run_script: RunScript) -> None:
    port = free_port()
    serve("memcached", ["-p", str(port), "-l", "127.0.0.1", "-U", "0", "-u", "nobody"], port)
    backend = {"BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache", "LOCATION": f"127.0.0.1:{port}"}

    result, events = run_script("fork:real_cache", settings={"CACHES": {"default": backend}})

    assert result == {"reasons": ["", ""], "children": [100, 100, 100, 100], "parent": 100}
    assert named(events, "socket.inherited") == []


def named(events: list[dict[str, Any]], name: str) -> list[str]:
    return [event["peer"] for event in events if event["event"] == name]
