"""``{index}`` and ``{processes}`` in a command's line: what tells the processes of one row apart.

Only these two are replaced, wherever they stand: every other brace stays, so that a line may hold JSON.
"""

INDEX, PROCESSES = "{index}", "{processes}"


def filled(line: str, index: int, processes: int) -> str:
    """Return the line of the process ``index``, counted from 0, of ``processes``."""
    return line.replace(INDEX, str(index)).replace(PROCESSES, str(processes))
