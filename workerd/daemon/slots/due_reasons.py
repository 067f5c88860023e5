"""The reasons of moments that came due before this daemon kept them, and were missed: each says what was so."""

from workerd.daemon.rules.dues import Gap
from workerd.daemon.rules.holdings import Holding
from workerd.wire.reasons import Reason
from workerd.wire.words import Before

DAEMON_DOWN = Reason("the daemon was not running")
BEFORE_ITS_ROW = Reason("its time had passed before workerd knew of the row")
STOOD_STILL = Reason("the daemon stood still, the machine slept, or its clock was set forward")
UNRENEWED = Reason("this node could not renew its seat in time: it did not reach the database, or it stood still")
UNUSED = Reason("this node did not have its seat")
SILENT = "was not heard of: its daemon had ended, stood still, or did not reach the database"
FREE = Reason("no node ran it: its seat was free, or was being given up")


def without_daemon(gap: Gap, began: float, lacked: str = "had not read its row yet") -> Reason:
    """Return why nothing ran on a node whose daemon ``began`` then, and ``lacked`` something until now."""
    if gap.last <= began:
        return DAEMON_DOWN
    return Reason(f"the daemon {lacked}" if gap.first > began else f"{DAEMON_DOWN}, and then it {lacked}")


def without_seat(gap: Gap, began: float, seat: Holding | None, *, is_same: bool) -> Reason:
    """Return why nothing ran until this node had the ``seat``; ``is_same`` where it had that before, and lost its use.

    The daemon of this node ``began`` then.
    """
    if seat is None:  # its row was of the fleet until now
        return UNUSED
    if is_same:
        return UNRENEWED
    match seat.before:
        case Before.OURS:
            return without_daemon(gap, began, "did not have its seat again yet")
        case Before.SILENT:
            return Reason(f"{seat.taken_from}, which had its seat, {SILENT}")
        case Before.FREE:
            return FREE
    return UNUSED
