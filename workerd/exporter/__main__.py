"""``python -m workerd.exporter VERSION CHANNEL PAGE``: what the daemon executes. The project is not loaded."""

from workerd.wire.own_program import run_own_program

from .main import run_exporter

if __name__ == "__main__":
    run_own_program("exporter", run_exporter)
