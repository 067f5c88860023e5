"""A page as a browser gets it, from a server that may still be starting."""

import urllib.error
import urllib.request

from .waiting import eventually


def read_page(address: str, within: float = 60.0) -> str:
    """Return the page as soon as somebody answers there; an answer that is an error is raised."""

    def page() -> str:
        try:
            with urllib.request.urlopen(address, timeout=within) as response:
                return str(response.read(), "utf-8")
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            return ""  # nobody listens yet

    return eventually(page, within, f"an answer at {address}")
