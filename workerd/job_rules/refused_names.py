"""The environment variables that no row may set: whoever may edit a row must not get more than to run what is allowed.

No list is complete: which variables the project's own code obeys, only the project knows. Here are those of the
loader, the C library, interpreters, shells, the tools that jobs start, and the libraries that hold connections; among
them is what glibc ignores in programs that have more rights than their user, and what sudo takes away.
"""

from fnmatch import fnmatchcase

_AT_THE_SERVICE = "set it where the service is started"

_GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "has processes load code, or says where they find it",
        _AT_THE_SERVICE,
        (
            *("LD_*", "DYLD_*", "_RLD*", "GCONV_PATH", "GETCONF_DIR", "LOCPATH", "NLSPATH"),
            *("PYTHON*", "PERL*", "RUBY*", "GEM_*", "BUNDLE_*", "NODE_*", "NPM_*", "PIP_*", "UV_*", "LUA_*"),
            *("PHPRC", "PHP_INI_SCAN_DIR", "CLASSPATH", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"),
            *("DOTNET_STARTUP_HOOKS", "OPENSSL_*", "LIBMYSQL_*", "GSS_MECH_CONFIG"),
        ),
    ),
    (
        "decides which programs run, or what they obey",
        _AT_THE_SERVICE,
        (
            # Python runs what it finds below HOME (its user site), and so do git, npm and others
            *("PATH", "HOME", "XDG_*", "SHELL", "ENV", "BASH*", "SHELLOPTS", "IFS", "CDPATH", "PS4", "GLOBIGNORE"),
            *("PROMPT_COMMAND", "ZDOTDIR", "FPATH", "NULLCMD", "READNULLCMD", "TMPPREFIX", "TERMINFO*", "TERMCAP"),
            *("TERMPATH", "EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESSOPEN", "LESSCLOSE"),
            *("GIT_*", "SSH_ASKPASS*", "SUDO_*", "RSYNC_RSH", "CVS_RSH"),
            # these files may name a program that gives the credentials
            *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "KUBECONFIG"),
        ),
    ),
    (
        "decides whom processes talk to, or whom they trust",
        _AT_THE_SERVICE,
        (
            *("HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "RESOLV_HOST_CONF", "NIS_PATH", "*_PROXY"),
            *("SSL_CERT_*", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CURL_HOME", "KRB5*"),
            *("AWS_CA_BUNDLE", "AWS_ENDPOINT_URL*", "DOCKER_*"),
            # libpq takes from these what settings.DATABASES leaves open: PGHOSTADDR would send it to another server
            *("PG*", "MYSQL_HOME", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT"),
        ),
    ),
    (
        "is read once, before a job's process gets its row",
        _AT_THE_SERVICE,
        ("DJANGO_SETTINGS_MODULE", "DJANGO_CONFIGURATION", "MALLOC_*", "GLIBC_TUNABLES"),
    ),
    (
        "workerd or the service manager sets itself",
        "remove it",
        (
            *("WORKERD_*", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID"),
            *("LISTEN_FDNAMES", "TRACEPARENT", "TRACESTATE"),
        ),
    ),
)


def refusal_of(name: str) -> str:
    """Return why no row may set the variable ``name``, and what to do, as the end of a sentence; "" where it may."""
    spelled = name.upper()  # curl and others read http_proxy
    for reason, remedy, patterns in _GROUPS:
        if any(fnmatchcase(spelled, pattern) for pattern in patterns):
            return f"{reason}: {remedy}"
    return ""
