"""The wire: every message comes back as it was, and nonsense is a WireError and nothing else."""

import copy
import inspect
import json
import pickle
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.harness.properties import examples
from workerd.ledger.inbox import ABOUT_SEATS
from workerd.wire import messages
from workerd.wire.messages import Born, Failed, Message, Record
from workerd.wire.packets import MAX_PACKET_BYTES, WireError, decode, encode
from workerd.wire.spec import JobSpec

KINDS = sorted(Message.kinds)
texts = st.text(st.characters(), max_size=20)  # lone surrogates and NUL too: jobs print such things
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts
rows = st.dictionaries(texts, plain, max_size=4)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63),
    int | None: st.none() | st.integers(-(2**63), 2**63),
    float: st.floats(allow_nan=False),
    float | None: st.none() | st.floats(allow_nan=False),
    bool: st.booleans(),
    str: texts,
    list[list[Any]]: st.lists(st.lists(plain, max_size=5), max_size=4),
    list[str]: st.lists(texts, max_size=4),
    dict[str, Any]: rows,
    dict[str, Any] | None: st.none() | rows,
}


def instances_of(kind: str) -> st.SearchStrategy[Message]:
    cls = Message.kinds[kind]
    return st.builds(cls, **{name: VALUES[hint] for name, hint in cls.__annotations__.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_every_message_comes_back_as_it_was(kind: str) -> None:
    @settings(max_examples=examples(8))
    @given(instances_of(kind))
    def go(message: Message) -> None:
        assert decode(encode(message)) == message

    go()


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_a_foreign_and_a_wrong_field_are_wire_errors(kind: str) -> None:
    names = list(Message.kinds[kind].fields)
    foreign: dict[str, Any] = {"nobody": 1}
    wrong: dict[str, Any] = {name: ["object"] for name in names if not _takes_lists(kind, name)}
    for values in (foreign, wrong or {"no": 1}):
        with pytest.raises(WireError):
            decode(json.dumps([kind, values]).encode())


def _takes_lists(kind: str, name: str) -> bool:
    return bool(Message.kinds[kind].__annotations__[name] in {list[str], list[list[Any]]})


@settings(max_examples=examples(150))
@given(st.binary(max_size=60))
@example(b"")
@example(b"[]")
@example(b"{}")
@example(b'{"a":1,"b":2}')
@example(b'"ab"')
@example(b"[[],[]]")
@example(b'[{"a":1},{}]')
@example(b'["Born",{"pid":1},3]')
@example(b'["Born",[1]]')
@example(b'["Born",{"pid":null}]')
@example(b'["Born",{"pid":1.5}]')
@example(b'["Born",{"pid":"1"}]')
@example(b'["Message",{}]')
@example(b'["__class__",{}]')
@example(b'["Drain",{"self":1}]')
@example(b'["Drain",{"__class__":1}]')
@example(b"\xff\xfe")
@example(b"\x00")
@example(b"[" * 100_000)
@example(b'["Born",{"pid":' + b"9" * 5000 + b"}]")
def test_nonsense_is_a_wire_error_and_nothing_else(packet: bytes) -> None:
    with suppress(WireError):
        decode(packet)


json_values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@settings(max_examples=examples(100))
@given(
    st.sampled_from([*KINDS, "Nobody"]), st.dictionaries(st.sampled_from(["pid", "birth", "spec", "row"]), json_values)
)
def test_json_of_the_wrong_shape_is_a_wire_error_or_a_message(kind: str, values: dict[str, Any]) -> None:
    packet = json.dumps([kind, values]).encode()
    try:
        message = decode(packet)
    except WireError:
        return

    assert type(message).__name__ == kind


def test_a_wire_error_is_short_whatever_the_packet() -> None:
    with pytest.raises(WireError) as caught:
        decode(json.dumps(["x" * 100_000, {}]).encode())

    assert len(str(caught.value)) < 1_000


def test_a_whole_number_may_stand_where_a_fraction_is_meant() -> None:
    packet = b'["ForkserverReady",{"wire_version":1,"generation":1,"version":"1","load_ms":3}]'

    assert decode(packet) == messages.ForkserverReady(1, 1, "1", 3.0)


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(WireError, match=r"Born\.pid is bool"):
        decode(b'["Born",{"pid":true}]')


def test_the_largest_packet_fits_and_one_byte_more_does_not() -> None:
    room = MAX_PACKET_BYTES - len(encode(Failed("", "", "")))

    assert len(encode(Failed("", "", "x" * room))) == MAX_PACKET_BYTES
    with pytest.raises(WireError, match=f"Failed has {MAX_PACKET_BYTES + 1} bytes"):
        encode(Failed("", "", "x" * (room + 1)))


def test_a_message_says_what_it_is_on_the_wire() -> None:
    assert encode(Born(7)) == b'["Born",{"pid":7}]'


def test_a_lone_surrogate_survives() -> None:
    message = Record(1, "run", "a", 1, {"note": "\ud800"})

    assert decode(encode(message)) == message


def test_a_spec_survives_the_wire() -> None:
    spec = JobSpec("feed", kwargs={"depth": [1, {"a": None}]}, max_memory=5.5)
    message = decode(encode(messages.JobChanged(spec.to_dict())))
    assert isinstance(message, messages.JobChanged)

    assert JobSpec.from_dict(message.spec) == spec


def test_messages_are_frozen() -> None:
    with pytest.raises(AttributeError, match="Born is frozen"):
        Born(1).pid = 2  # type: ignore[misc]


def test_messages_are_equal_by_kind_and_fields() -> None:
    assert Born(1) == Born(pid=1)
    assert hash(Born(1)) == hash(Born(1))
    assert Born(1) != Born(2)
    assert Born(1) != messages.Bear(1)
    assert messages.Loaded() != messages.BecameReady()


def test_messages_show_their_fields() -> None:
    assert repr(messages.BirthFailed(1, "no")) == "BirthFailed(birth=1, reason='no')"


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2), {}), ((1,), {"pid": 1}), ((), {"nobody": 1}), ((1,), {"nobody": 1})],
)
def test_a_message_takes_each_of_its_fields_once_and_no_other(values: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="Born takes pid, each once"):
        Born(*values, **named)


def test_messages_can_be_copied_and_pickled() -> None:
    message = Record(1, "run", "a", 1, {"note": ["x"]})

    assert pickle.loads(pickle.dumps(message)) == copy.deepcopy(message) == copy.copy(message) == message


def test_the_ledger_hears_each_message_that_is_meant_for_it() -> None:
    source = inspect.getsource(messages).partition("# daemon -> ledger")[2]
    meant = {*re.findall(r"^class (\w+)\(Message\)", source, re.MULTILINE)}
    heard = {message.__name__ for message in (Record, messages.Drain, messages.Sampled, *ABOUT_SEATS)}
    assert meant == heard
