"""Supervisor's files are read as supervisor's own parser reads them."""

from configparser import Error, RawConfigParser

from hypothesis import given
from hypothesis import strategies as st

from workerd.adopt.ini_file import read_ini

LINES = st.sampled_from(
    [
        *("[program:a]", "[program:b]", "  [program:a]", "[a]b", "[]", "", "   ", "\t", "; note", "# note", "  ; note"),
        *(
            "key=value",
            "key = value ; note",
            "key=a;b",
            "KEY: other",
            "  deeper",
            "    more = deeper",
            "other=1 # note",
        ),
        *("key=", "= value", "no delimiter", "  key=indented", "a=b=c", "a:b=c", "a b = c", "x=%(here)s"),
    ]
)


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_what_the_standard_parser_takes_is_read_the_same(text: str) -> None:
    parser = RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"), default_section="DEFAULT")
    try:
        parser.read_string(text)
    except Error:
        return

    file = read_ini(text)

    assert {name: section.options for name, section in file.sections.items()} == {
        name: dict(parser.items(name)) for name in parser.sections()
    }
    assert file.strays == []


@given(st.lists(LINES, max_size=12).map("\n".join))
def test_what_the_standard_parser_refuses_is_kept_as_a_stray(text: str) -> None:
    try:
        RawConfigParser(strict=False, inline_comment_prefixes=(";", "#")).read_string(text)
    except Error:
        assert read_ini(text).strays


def test_a_section_knows_its_line_and_what_stands_twice() -> None:
    file = read_ini("\n[a]\nx=1\nX=2\n[b]\n[a]\nx=3\n")

    assert (file.sections["a"].line, file.sections["b"].line) == (2, 5)
    assert file.sections["a"].options == {"x": "3"}
    assert file.sections["a"].repeated == ["x"]
    assert file.repeated == [(6, "a")]


def test_what_goes_on_below_a_stray_belongs_to_it() -> None:
    file = read_ini("[a]\nx=1\nstray\n  deeper\n")

    assert file.sections["a"].options == {"x": "1"}
    assert file.strays == [(3, "stray"), (4, "deeper")]
