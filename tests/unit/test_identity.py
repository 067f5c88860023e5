"""Who a node is: its key outlives every start, its life none; the folder tells what an earlier life may have left."""

import json
import shutil
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.harness.node import Node
from workerd.daemon.node import identity as module
from workerd.daemon.node.identity import Identity
from workerd.daemon.node.registration import Registration
from workerd.wire.messages import License, NodeDisplaced, NodeRegistered


def edit(folder: Path, **values: Any) -> None:
    path = folder / "shop.node"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_the_key_is_kept_and_each_start_is_another_life(tmp_path: Path) -> None:
    first, second = Identity(tmp_path, "shop"), Identity(tmp_path, "shop")

    assert first.key == second.key
    assert first.life != second.life
    assert (first.earlier, second.earlier, second.same_boot, second.settled) == ("", first.life, True, True)
    assert first.fault == second.fault == ""
    assert Identity(tmp_path, "other").key != first.key
    assert stat.S_IMODE((tmp_path / "shop.node").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"key": "shop"}', '{"key": 7}', "\udcff", "[" * 100_000])
def test_a_key_that_cannot_be_read_is_said_and_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.node").write_bytes(text.encode("utf-8", "surrogateescape"))
    broken = Identity(tmp_path, "shop")

    assert broken.fault
    assert str(uuid.UUID(broken.key)) == broken.key
    assert (Identity(tmp_path, "shop").key, Identity(tmp_path, "shop").fault) == (broken.key, "")


def test_a_folder_where_the_key_should_be_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    (tmp_path / "shop.node").mkdir()

    with pytest.raises(OSError, match=r"shop\.node"):
        Identity(tmp_path, "shop")


def test_a_copy_of_the_folder_has_the_key_and_no_earlier_life(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    original = Identity(tmp_path / "state", "shop")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    copy = Identity(tmp_path / "copy", "shop")

    assert (copy.key, copy.earlier, copy.same_boot, copy.settled) == (original.key, "", False, False)


@pytest.mark.parametrize(
    ("kept", "same_boot", "settled"),
    [
        ({"boot": "another"}, False, False),
        ({"namespace": "pid:[1]", "pid": 7}, True, False),
        ({"namespace": "pid:[1]", "pid": 1}, True, True),  # a pid namespace ends with its first process
    ],
)
def test_what_is_left_of_the_earlier_life(tmp_path: Path, kept: dict[str, Any], same_boot: bool, settled: bool) -> None:
    first = Identity(tmp_path, "shop")
    edit(tmp_path, **kept)
    second = Identity(tmp_path, "shop")

    assert (second.earlier, second.same_boot, second.settled) == (first.life, same_boot, settled)


def test_where_proc_tells_no_boot_no_boot_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "boot_id", lambda: "")
    Identity(tmp_path, "shop")

    assert not Identity(tmp_path, "shop").same_boot


def test_a_folder_that_was_made_anew_gets_the_key_again(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    first = Identity(tmp_path / "state", "shop")
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "state").mkdir()
    first.keep()
    second = Identity(tmp_path / "state", "shop")

    assert (second.key, second.earlier) == (first.key, first.life)


def test_each_ledger_is_told_who_the_node_is_and_whether_the_row_is_its_lifes(node: Node) -> None:
    Registration(node.parts)
    node.start()
    first = node.ledger.licence
    node.tell(NodeRegistered())
    node.end_child(node.slot("workerd.ledger"), code=1)
    node.settle()
    second = node.ledger.licence

    for licence in (first, second):
        assert isinstance(licence, License)
        assert (licence.key, licence.life) == (node.parts.identity.key, node.parts.identity.life)
    assert (first.registered, second.registered) == (False, True)
    assert first.version == node.parts.versions.first


def test_the_younger_daemon_says_whom_it_has_displaced(node: Node) -> None:
    Registration(node.parts)
    node.start()
    node.tell(NodeRegistered("pid 7, pulse 1.0 s ago"), NodeRegistered(shown_as="shop@old"))

    (taken_over,), name_taken = node.lines.of("node.taken_over"), node.lines.of("node.name_taken")
    assert "pid 7, pulse 1.0 s ago" in taken_over["reason"]
    assert name_taken == [{"shown_as": "shop@old"}]


def test_the_older_daemon_is_told_once_to_end(node: Node) -> None:
    registration = Registration(node.parts)
    told: list[str] = []
    registration.on_displaced.add(told.append)
    node.start()
    node.tell(NodeDisplaced("another daemon"), NodeDisplaced("another daemon"))

    assert told == ["another daemon"]
    assert node.lines.of("node.displaced") == [{"reason": "another daemon"}]


def test_who_has_displaced_it_is_known_at_the_next_start(node: Node, tmp_path: Path) -> None:
    Registration(node.parts)
    node.start()
    life = str(uuid.uuid4())
    node.tell(NodeDisplaced("another daemon", life))
    folder = Path(node.parts.identity.path).parent

    assert Identity(folder, "shop").terms()["yields_to"] == life


def test_all_is_written_anew_where_the_row_had_gone(node: Node) -> None:
    registration = Registration(node.parts)
    told: list[int] = []
    registration.on_anew.add(lambda: told.append(1))
    node.start()
    node.tell(NodeRegistered(), NodeRegistered(anew=True))

    assert told == [1]
