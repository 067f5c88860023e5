"""A past of samples, as a daemon would have measured it, for pages that are looked at and not waited for."""

import math
import time

from tests.harness.project import Project
from workerd.models import Slot
from workerd.wire.curves import slot_text
from workerd.wire.recent_memory import summarize
from workerd.wire.samples import COARSE, FINE, Sample, pack_all


def add_leak(project: Project, name: str, limit: float) -> None:
    """Write the last day of a slot: its process is eight hours old, and has grown to two thirds of ``limit``."""
    now = int(time.time())
    fine = [_at(now - 10 * place, now, limit) for place in range(FINE)]
    coarse = [_at(now - 300 * place, now, limit) for place in range(COARSE)]
    packed = pack_all(fine) + pack_all(coarse)
    Slot.objects.using(project.jobs.db).filter(job_name=name).update(
        samples=slot_text(packed), recent_memory=summarize(packed), memory=limit * 0.67, state="RUNNING"
    )


def _at(moment: int, now: int, limit: float) -> Sample:
    hours, wave = (now - moment) / 3600, math.sin(moment / 700)
    age = 8 - hours if hours < 8 else 24 - hours
    grown = limit * (0.08 + 0.59 * age / 8 if hours < 8 else 0.08 + 0.9 * age / 16)
    first = abs(hours - 8) < 300 / 3600 and hours < 8
    return Sample(moment, int(grown * 1024), 12 + 9 * wave, 2 + 1.5 * wave, 14, 3, first)
