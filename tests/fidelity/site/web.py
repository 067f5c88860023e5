"""The project's one view, and a client that asks for it."""

import http.client
import os
import time
from typing import Any

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from .work import note, work

WITHIN_S = 20.0


def view(request: HttpRequest, name: str, seconds: str) -> HttpResponse:
    return HttpResponse(work(name, float(seconds)))


urlpatterns = [path("work/<name>/<seconds>", view)]


def wsgi(environ: Any, start_response: Any) -> Any:
    return _wsgi(environ, start_response)


_wsgi = get_wsgi_application()
asgi = get_asgi_application()


def ask(name: str, seconds: float) -> None:
    """Send the request, to a server that may still be starting, and write down its answer or how it broke off."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["FIDELITY_PORT"]), timeout=WITHIN_S)
        try:
            connection.connect()
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    try:
        connection.request("GET", f"/work/{name}/{seconds}")
        answer = connection.getresponse()
        note("answered", name, str(answer.status), answer.read().decode()[:40])
    except (http.client.HTTPException, OSError) as error:
        note("unanswered", name, type(error).__name__)
