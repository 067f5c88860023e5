"""Small files, read whole. The daemon does without pathlib, which imports fnmatch, urllib and ipaddress."""

import os

StrPath = str | os.PathLike[str]


def read_text(path: StrPath) -> str:
    with open(path) as file:
        return file.read()


def write_text(path: StrPath, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
