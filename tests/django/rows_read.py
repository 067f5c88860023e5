"""How many rows of a table a statement really reads, as the server's own EXPLAIN says."""

import json
import re
from typing import Any

from django.db import connection

_ACTUAL = re.compile(r"actual time=\S+ rows=([\d.e+]+) loops=(\d+)")


def rows_read(sql: str, table: str) -> float:
    """Run the statement under EXPLAIN; return the rows of ``table`` that its steps looked at, found fit or not."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            (plan,) = cursor.fetchone()
            return _postgres(json.loads(plan) if isinstance(plan, str) else plan, table)
        names = {table, *re.findall(rf"`{table}` ([A-Z]\d+)", sql)}  # in a subquery it has another name
        if connection.mysql_is_mariadb:  # type: ignore[attr-defined]  # of the wrapper for MySQL alone
            cursor.execute(f"ANALYZE FORMAT=JSON {sql}")
            (plan,) = cursor.fetchone()
            return _mariadb(json.loads(plan), names)
        cursor.execute(f"EXPLAIN ANALYZE {sql}")
        (text,) = cursor.fetchone()
        steps = [line for line in str(text).splitlines() if any(f" on {name} " in line for name in names)]
        found = [_ACTUAL.search(step) for step in steps]
        return sum(float(match[1]) * int(match[2]) for match in found if match)


def _mariadb(node: Any, names: set[str]) -> float:
    if isinstance(node, list):
        return sum(_mariadb(child, names) for child in node)
    if not isinstance(node, dict):
        return 0
    inner = sum(_mariadb(child, names) for child in node.values())
    if node.get("table_name") not in names:
        return inner
    return float(node.get("r_rows") or 0) * float(node.get("r_loops") or 0) + inner


def _postgres(node: Any, table: str) -> float:
    if isinstance(node, list):
        return sum(_postgres(child, table) for child in node)
    if not isinstance(node, dict):
        return 0
    inner = sum(_postgres(child, table) for child in node.values())
    if node.get("Relation Name") != table:
        return inner
    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float(read * node["Actual Loops"]) + inner
