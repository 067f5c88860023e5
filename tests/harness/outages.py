"""A database behind a proxy, used by an account whose sessions and rights can be taken away: for tests of outages."""

import importlib
import itertools
import os
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from tests.harness.backends.backend import Databases
from tests.harness.backends.server import Address

from .project import Project
from .proxy import Proxy
from .waiting import eventually

_numbers = itertools.count(1)


@dataclass
class Link:
    """The way from a project's processes to its database; the test's own connection goes straight to the server."""

    proxy: Proxy
    databases: Databases
    database: str
    account: str
    _taken: Any = field(default=None, init=False)

    @classmethod
    def open(cls, project: Project, databases: Databases, **options: str) -> "Link":
        """Have the project's processes use a proxy and an account of their own."""
        assert databases.server is not None
        server = databases.server.address
        link = cls(
            Proxy(server.host, server.port), databases, project.database, f"workerd_{os.getpid()}_{next(_numbers)}"
        )
        link._make_account()
        own = Address("127.0.0.1", link.proxy.port, link.account, "secret")
        parts = urlsplit(databases.url(project.database, options))
        account = f"{own.user}:{own.password}@{own.host}:{own.port}"
        project.url = urlunsplit((parts.scheme, account, parts.path, parts.query, ""))
        return link

    @property
    def is_postgresql(self) -> bool:
        return self.databases.backend.vendor == "postgresql"

    def execute(self, *statements: str) -> None:
        """Run statements in the project's database, as the server's administrator."""
        self.databases.execute(*statements, database=self.database)

    def count_sessions(self, slot: str) -> int:
        """Return how many sessions the server has: of a slot, or on MySQL those that wait for a lock."""
        if self.is_postgresql:
            query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%{slot}%'"
        else:
            waiting = "state LIKE '%lock%'"
            query = f"SELECT count(*) FROM information_schema.processlist WHERE user = '{self.account}' AND {waiting}"
        return int(self.databases.execute(query, database=self.database)[0][0])

    def end_sessions(self) -> None:
        """Have the server end every session of the account."""
        if self.is_postgresql:
            self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.account}'")
        else:
            found = self.databases.execute(
                f"SELECT id FROM information_schema.processlist WHERE user = '{self.account}'"
            )
            for (number,) in found:
                self._kill_session(number)

    def end_session_within(self, query: str) -> bool:
        """Have the server end the account's session that is at work on a query with these words; return if there is."""
        if self.is_postgresql:
            ours = f"usename = '{self.account}' AND state = 'active' AND query ILIKE '%{query}%'"
            return bool(self.databases.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"))
        ours = f"user = '{self.account}' AND LOWER(info) LIKE '%{query}%'"
        found = self.databases.execute(f"SELECT id FROM information_schema.processlist WHERE {ours}")
        for (number,) in found:
            self._kill_session(number)
        return bool(found)

    def _kill_session(self, number: int) -> None:
        """End one session of MySQL's, which may be gone already."""
        try:
            self.databases.execute(f"KILL {number}")
        except Exception as error:  # each driver has its own; 1094 is "no such thread"
            if "1094" not in str(error):
                raise

    def take_all_sessions(self) -> None:
        """Have the server refuse the account every session: "too many connections"."""
        if self.is_postgresql:
            self.execute(f"ALTER ROLE {self.account} CONNECTION LIMIT 0")
            self.end_sessions()
        else:
            self.execute(f"ALTER USER {self.account}@'%' WITH MAX_USER_CONNECTIONS 1")
            eventually(self._take_the_only_session, 60, "the account's only session")

    def leave_one_session(self, ended: int) -> None:
        """End the session with this number, and have the server give the account no second one."""
        if self.is_postgresql:
            self.execute(f"ALTER ROLE {self.account} CONNECTION LIMIT 1", f"SELECT pg_terminate_backend({ended})")
        else:
            self.execute(f"ALTER USER {self.account}@'%' WITH MAX_USER_CONNECTIONS 1")
            self._taken = self._connect()  # MariaDB does not count sessions from before there was a limit
            self._kill_session(ended)

    def free_sessions(self) -> None:
        """Undo ``take_all_sessions``."""
        if self.is_postgresql:
            self.execute(f"ALTER ROLE {self.account} CONNECTION LIMIT -1")
        else:
            self.execute(f"ALTER USER {self.account}@'%' WITH MAX_USER_CONNECTIONS 0")
            if self._taken is not None:
                self._taken.close()

    def _take_the_only_session(self) -> bool:
        """Hold the only session that MySQL allows the account: its limit of 0 means no limit."""
        self.end_sessions()
        driver = importlib.import_module(self.databases.backend.module)
        try:
            self._taken = self._connect()
        except driver.Error:
            return False
        return True

    def _connect(self) -> Any:
        assert self.databases.server is not None
        at = self.databases.server.address
        driver = importlib.import_module(self.databases.backend.module)
        return driver.connect(host=at.host, port=at.port, user=self.account, password="secret")

    def make_read_only(self, read_only: bool) -> None:
        """Have the server refuse all writes, the administrator's apart; needs a throw-away server."""
        if self.is_postgresql:
            self.forbid_writing(read_only)
            self.end_sessions()
        else:
            self.execute(f"SET GLOBAL read_only = {int(read_only)}")

    def forbid_writing(self, forbidden: bool) -> None:
        """Have the database refuse the account's writes, as a read-only standby does."""
        if self.is_postgresql:
            self.execute(
                f"ALTER ROLE {self.account} SET default_transaction_read_only = {'on' if forbidden else 'off'}"
            )
        elif forbidden:
            self.execute(f"REVOKE ALL ON {self.database}.* FROM {self.account}@'%'")
            self.execute(f"GRANT SELECT ON {self.database}.* TO {self.account}@'%'")
        else:
            self.execute(f"GRANT ALL ON {self.database}.* TO {self.account}@'%'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take proxy and account away."""
        self.proxy.close()
        if self.is_postgresql:
            self.end_sessions()
            self.execute(f"DROP OWNED BY {self.account}", f"DROP ROLE {self.account}")
        else:
            self.execute(f"DROP USER {self.account}@'%'")

    def _make_account(self) -> None:
        if self.is_postgresql:
            self.execute(f"CREATE ROLE {self.account} LOGIN PASSWORD 'secret'")
            for kind in ("TABLES", "SEQUENCES"):
                self.execute(f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {self.account}")
        else:
            self.execute(f"CREATE USER {self.account}@'%' IDENTIFIED BY 'secret'")
            self.execute(f"GRANT ALL ON {self.database}.* TO {self.account}@'%'")
