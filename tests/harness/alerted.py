"""A project whose alerts reach a real SMTP server and a real HTTP server of the test's."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.harness.receivers import Hook, MailBox, Post, http_server, smtp_server

from .daemon import Daemon
from .project import Project
from .waiting import eventually

WITHIN_S = 40.0
SETTINGS = "tests.process.alert_settings"


class Alerted:
    """What has come of one project's alerts. ``Post.json`` is workerd's own payload."""

    def __init__(self, project: Project, daemon: Daemon, hook: Hook, box: MailBox) -> None:
        self.project = project
        self.daemon = daemon
        self.hook = hook
        self.box = box

    def posts(self, kind: str, state: str = "", about: str = "") -> list[Post]:
        """Return those of a kind that have come; ``about`` is a job."""
        return _choose(self.hook.posts, kind, state, about)

    def tries(self, kind: str, state: str = "", about: str = "") -> list[Post]:
        """Return those that the notifier has tried to send, also where the receiver refused."""
        return _choose(self.hook.tries, kind, state, about)

    def wait(self, kind: str, state: str, about: str = "", within: float = WITHIN_S) -> Post:
        """Return the first such alert, waiting for it."""
        return eventually(lambda: self.posts(kind, state, about), within, f"{kind} {about} {state}")[0]

    def assert_told_once(self, kind: str, about: str = "") -> None:
        """Have it been raised and resolved, each once, with one id, by each way."""
        raised, resolved = self.wait(kind, "raised", about), self.wait(kind, "resolved", about)
        assert raised.json["id"] == resolved.json["id"]
        assert len(self.posts(kind, about=about)) == 2, [post.json for post in self.posts(kind, about=about)]
        key = raised.json["key"]
        eventually(lambda: len(self.subjects(key)) == 2, WITHIN_S, f"both mails about {key}")

    def assert_each_told_once(self, kind: str) -> None:
        """Have each matter of a kind that may come more than once be told in order to its end, by each way."""

        def all_are_told() -> None:
            states: dict[str, list[str]] = {}
            for post in self.posts(kind):
                states.setdefault(post.json["id"], []).append(post.json["state"])
            assert all(of_one in (["raised", "resolved"], ["passed"]) for of_one in states.values()), states
            assert len(self.subjects(kind)) == len(self.posts(kind)), self.box.subjects

        eventually(all_are_told, WITHIN_S, f"the end of each {kind}")

    def subjects(self, key: str) -> list[str]:
        """Return the subjects of the mails about a matter."""
        return [subject for subject in self.box.subjects if subject.endswith(f": {key}")]


@contextmanager
def receiving(project: Project, **settings: Any) -> Iterator[tuple[Hook, MailBox]]:
    """Have the project's alerts come to servers of their own."""
    with http_server() as hook, smtp_server() as box:
        project.extra_env |= {"DJANGO_SETTINGS_MODULE": SETTINGS, "WORKERD_TEST_SMTP_PORT": str(box.port)}
        ways: list[Any] = [{"webhook": hook.url, "secret": "of the tests"}, {"mail": ["ops@example.org"]}]
        project.settings |= {"ALERTS": ways, **settings}
        yield hook, box


def _choose(posts: Iterable[Post], kind: str, state: str, about: str) -> list[Post]:
    return [
        post
        for post in tuple(posts)
        if post.json["kind"] == kind and post.json["job"] == about and state in ("", post.json["state"])
    ]
