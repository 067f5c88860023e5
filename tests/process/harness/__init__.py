"""What tests of the real daemon stand on: a project and its database, the daemon, waits with a deadline."""

from .daemon import Daemon
from .log import Log
from .processes import ProcessTree
from .project import Project
from .waiting import TooLateError, eventually

__all__ = ["Daemon", "Log", "ProcessTree", "Project", "TooLateError", "eventually"]
