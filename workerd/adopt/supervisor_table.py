"""The table says what becomes of each section and each directive that supervisor knows."""

from collections.abc import Mapping

from .fates import Directive, blocks, dropped, mapped, service

_ONE_LOG = "The service has one log; “workerd tail --job NAME” shows a job's part of it."
_TREE = "A job's whole tree of processes is ended anyway."
_NO_EVENTS = "There are no event listeners."

PROGRAM: Mapping[str, Directive] = {
    "command": mapped("command"),
    "process_name": dropped("Processes are called by their job and a number."),
    "numprocs": mapped("processes"),
    "numprocs_start": dropped("Processes are numbered from 0."),
    "directory": mapped("working_directory"),
    "umask": mapped("umask"),
    "priority": dropped("It only orders starts; starts_after waits until another job runs."),
    "autostart": mapped("enabled"),
    "autorestart": mapped("restart"),
    "startsecs": mapped("start_grace"),
    "startretries": dropped("A job that fails is tried again, once a minute in the end; max_restarts gives up."),
    "exitcodes": mapped("restart"),
    "stopsignal": mapped("stop_signal"),
    "stopwaitsecs": mapped("stop_timeout"),
    "stopasgroup": dropped(_TREE),
    "killasgroup": dropped(_TREE),
    "user": service("All jobs run as the one user of the service."),
    "environment": mapped("environment"),
    "redirect_stderr": dropped(_ONE_LOG),
    "stdout_logfile": dropped(_ONE_LOG),
    "stdout_logfile_maxbytes": dropped(_ONE_LOG),
    "stdout_logfile_backups": dropped(_ONE_LOG),
    "stdout_capture_maxbytes": dropped(_NO_EVENTS),
    "stdout_events_enabled": dropped(_NO_EVENTS),
    "stdout_syslog": dropped(_ONE_LOG),
    "stderr_logfile": dropped(_ONE_LOG),
    "stderr_logfile_maxbytes": dropped(_ONE_LOG),
    "stderr_logfile_backups": dropped(_ONE_LOG),
    "stderr_capture_maxbytes": dropped(_NO_EVENTS),
    "stderr_events_enabled": dropped(_NO_EVENTS),
    "stderr_syslog": dropped(_ONE_LOG),
    "serverurl": dropped("A job is operated through the service, not through supervisor."),
}
"""The directives of ``[program:NAME]``, each with the field that takes it."""

UNKNOWN = dropped("Supervisor does not know it either.")

SECTIONS: Mapping[str, Directive] = {
    "program": mapped("a job"),
    "include": mapped("the files that it names are read, too"),
    "group": dropped("Jobs are not grouped; orders take several names."),
    "eventlistener": blocks("An event listener talks to supervisor; workerd tells its events in its log."),
    "fcgi-program": blocks("It serves FastCGI for a web server: leave it where it is."),
    "supervisord": service("It sets up supervisor itself; workerd has its own settings, user and environment."),
    "unix_http_server": dropped("Orders come through “manage.py workerd” and the admin."),
    "inet_http_server": dropped("Orders come through “manage.py workerd” and the admin."),
    "supervisorctl": dropped("Orders come through “manage.py workerd” and the admin."),
    "rpcinterface": dropped("Orders come through “manage.py workerd” and the admin."),
    "ctlplugin": dropped("Orders come through “manage.py workerd” and the admin."),
}
"""The sections, without what follows a colon; all directives of a section but ``program`` share its fate."""
