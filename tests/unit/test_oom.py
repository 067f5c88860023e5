"""Out of memory, as the daemon's own cgroup counts it; where there is none to ask, it is only "perhaps"."""

from pathlib import Path

import pytest

from workerd.daemon.processes.oom import OomCounter

CGROUPS = {
    "version 2": ("0::/shop.service\n", "shop.service/memory.events", "low 0\noom 1\noom_kill {}\noom_group_kill 0\n"),
    "version 1": (
        "4:memory:/shop.service\n1:name=systemd:/shop.service\n0::/shop.service\n",
        "memory/shop.service/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
    ),
}


class Cgroup:
    """A membership file, and the file that counts in the cgroup that it names."""

    def __init__(self, folder: Path, version: str) -> None:
        text, events, self._content = CGROUPS[version]
        self.root = folder
        self.membership = folder / "membership"
        self.membership.write_text(text)
        self.events = folder / events
        self.events.parent.mkdir(parents=True)

    def count(self, kills: int) -> None:
        self.events.write_text(self._content.format(kills))

    def counter(self) -> OomCounter:
        return OomCounter(self.membership, self.root)


@pytest.fixture(params=CGROUPS)
def cgroup(request: pytest.FixtureRequest, tmp_path: Path) -> Cgroup:
    cgroup = Cgroup(tmp_path, request.param)
    cgroup.count(3)
    return cgroup


def test_a_kill_that_the_cgroup_counts_is_seen_once(cgroup: Cgroup) -> None:
    counter = cgroup.counter()
    assert not counter.has_risen(), "what was before us is none of ours"

    cgroup.count(4)

    assert counter.has_risen()
    assert not counter.has_risen()


def test_a_cgroup_that_goes_away_counts_nothing(cgroup: Cgroup) -> None:
    counter = cgroup.counter()

    cgroup.events.unlink()

    assert not counter.has_risen()


@pytest.mark.parametrize("text", ["", "5:memory:/shop.service\n", "1:name=systemd:/shop.service\n"])
def test_where_nothing_counts_nothing_is_counted(tmp_path: Path, text: str) -> None:
    membership = tmp_path / "membership"
    membership.write_text(text)

    assert not OomCounter(membership, tmp_path).has_risen()
    assert not OomCounter(tmp_path / "nowhere", tmp_path).has_risen()
