"""The answer to a page's script, which keeps the page fresh: pieces of HTML by key, with an ETag of their content."""

import hashlib
import json
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from .ages import unit_words

SLOW_MS, FAST_MS = 2000, 250
"""How often a page asks: as a rule, and while a slot changes its state or an order is open."""


def answer(request: HttpRequest, pieces: Mapping[str, str], *, is_moving: bool, slow_ms: int = SLOW_MS) -> HttpResponse:
    """Return the pieces as JSON, or 304 to a page that has them already."""
    body = json.dumps({"pieces": pieces, "next_ms": FAST_MS if is_moving else slow_ms}, sort_keys=True)
    etag = f'"{hashlib.blake2b(f"{get_language()}{body}".encode(), digest_size=16).hexdigest()}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(body, content_type="application/json", headers={"ETag": etag})
    patch_cache_control(response, private=True, no_cache=True)
    return response


def script_settings(url: str, *, is_moving: bool, slow_ms: int = SLOW_MS) -> SafeString:
    """Return the element that tells the page's script the address to ask, how often, and its words."""
    settings = {
        "url": url,
        "nextMs": FAST_MS if is_moving else slow_ms,
        "units": unit_words(),
        "stale": _("This page cannot be refreshed; it shows the state at %s."),
        "changed": _("The list has changed."),
        "reload": _("Reload"),
    }
    return format_html('<div id="workerd-live" data-settings="{}" hidden></div>', json.dumps(settings))
