"""Hundreds of nodes on one database: statements and rows a second, and what share of a processor the server takes.

``python -m benchmarks.fleet_load [--database postgresql] [--nodes 500] [--seats 1000] [--rows 1000] [--stretches 5]
[--seconds 20] [--json]``

One process plays all nodes on a server of its own: each part that a ledger does again and again is played once by its
own code, and its statements are sent at its pace from then on. The aim: at most 40 % of one processor on PostgreSQL
with the figures above. ``pace_percent`` is how much of it this machine could send. Then a row is saved, and the server
restarted, both of which the ledgers' own code answers (``due`` is what all of them want done in one second).
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.fleet_load.server import SERVERS, BenchServer, Figures

AIM_PERCENT = 40.0
SETTLE_S = 10.0


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=sorted(SERVERS), default="postgresql")
    for name, default in (("nodes", 500), ("seats", 1000), ("rows", 1000), ("stretches", 5), ("seconds", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="JSON alone, for programs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="workerd-fleet-load.", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = SERVERS[options.database](Path(folder))
        server.ensure_started()
        try:
            figures = _measure(server, options)
        finally:
            server.close()
    print(json.dumps(figures, indent=None if options.json else 2))


def _measure(server: BenchServer, options: argparse.Namespace) -> dict[str, Any]:
    os.environ.update(
        DATABASE_URL=server.url, DJANGO_SETTINGS_MODULE="django_site.settings", WORKERD_STATE_DIR=str(server.folder)
    )
    import django

    django.setup()
    from benchmarks.fleet_load.real import Real
    from benchmarks.fleet_load.stage import Stage, intervals, set_up, settle

    lives = set_up(options.nodes, options.seats, options.rows)
    settle(lives)
    stage = Stage(lives, server, intervals(options.nodes, options.rows))
    stage.run(SETTLE_S)
    stretches = [stage.stretch(float(options.seconds)) for _ in range(options.stretches)]
    median = Figures(*(statistics.median(values) for values in zip(*stretches, strict=True)))
    real = Real(lives, server)
    return {
        **vars(options),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "statements_a_second_computed": round(stage.computed),
        "statements_a_second": round(median.statements),
        "pace_percent": round(median.statements / stage.computed * 100),
        "server_percent_of_one_processor": round(median.share_percent, 1),
        "each_stretch_percent": [round(stretch.share_percent, 1) for stretch in stretches],
        "aim_percent": AIM_PERCENT,
        "by_part_percent": stage.parts(),
        "server_ms_for_one_edit": round(real.edit() * 1e3) if options.database == "postgresql" else None,
        "restart": real.restart(),
    }


if __name__ == "__main__":
    main()
