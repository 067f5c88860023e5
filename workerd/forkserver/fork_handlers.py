"""Finds loaded libraries that have code of theirs run at forks: libc runs it in its own fork() alone.

Such code (pthread_atfork(3)) renews random numbers, as GnuTLS does, or ends threads, as OpenBLAS does. No call tells
what is registered, but a library that never names the call has nothing registered.
"""

import ctypes
from collections.abc import Iterator
from itertools import takewhile
from pathlib import PurePath
from typing import Any

CALLS = (b"__register_atfork\0", b"pthread_atfork\0")
"""The call's names: glibc's own, which programs are linked to, and the public one."""
LIBC = ("libc.", "libc-", "libpthread", "ld-")
"""The names of libc's own files, which define the call, begin so."""
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_STRTAB, _DT_STRSZ = 5, 10


class _Header(ctypes.Structure):
    """A segment of a loaded library: Elf64_Phdr of elf(5)."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("type", "flags")),
        *((name, ctypes.c_uint64) for name in ("offset", "address", "physical", "in_file", "in_memory", "align")),
    )


class _Library(ctypes.Structure):
    """A loaded library: the first fields of dl_phdr_info, see dl_iterate_phdr(3)."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.POINTER(_Header)),
        ("count", ctypes.c_uint16),
        ("loads", ctypes.c_ulonglong),
    )


_Visit = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)


def count_loads() -> int:
    """Return how many libraries this process has loaded so far."""
    counts: list[int] = []

    def visit(library: Any, _size: int, _data: object) -> int:
        counts.append(library.contents.loads)
        return 1  # each of them tells it, so one will do

    ctypes.PyDLL(None).dl_iterate_phdr(_Visit(visit), None)
    return counts[0]


def libraries_with_fork_handlers() -> list[str]:
    """Return the file names of the loaded libraries that may have registered something; needs 64 bits."""
    found = []

    def visit(library: Any, _size: int, _data: object) -> int:
        name = PurePath((library.contents.name or b"").decode("utf-8", "replace")).name or "the interpreter"
        names = b"" if name.startswith(LIBC) else _names_in(library.contents)
        if any(call in names for call in CALLS):
            found.append(name)
        return 0

    ctypes.PyDLL(None).dl_iterate_phdr(_Visit(visit), None)
    return found


def _names_in(library: Any) -> bytes:
    """Return the names of all that a library defines or takes from others, b"" where it does not show them."""
    headers = [library.headers[index] for index in range(library.count)]
    dynamic = next((header for header in headers if header.type == _PT_DYNAMIC), None)
    entries = dict(_entries(library.base + dynamic.address, dynamic.in_memory)) if dynamic is not None else {}
    address, size = entries.get(_DT_STRTAB, 0), entries.get(_DT_STRSZ, 0)
    # glibc has added the base already; musl, and the kernel's own library, have not.
    for begin in (address, library.base + address):
        if any(
            header.type == _PT_LOAD
            and library.base + header.address <= begin
            and begin + size <= library.base + header.address + header.in_memory
            for header in headers
        ):
            return ctypes.string_at(begin, size)
    return b""


def _entries(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the tags and values of a library's dynamic section, which ends with the tag 0."""
    words = (ctypes.c_uint64 * (size // 8)).from_address(address)
    return takewhile(lambda entry: entry[0] != 0, zip(words[::2], words[1::2], strict=False))
