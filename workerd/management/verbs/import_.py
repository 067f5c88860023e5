"""Make rows of a file of definitions, as the admin would: nothing ties them to the file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from workerd.definitions.declared import read_file

from .sync import add_write_arguments, write_declared

NO_SOURCE = ""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a TOML file, as “workerd export” prints it")
    add_write_arguments(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Write the file's jobs; 1 where a row differs and is kept, 2 where a definition is invalid."""
    return write_declared(command, options, read_file(options["file"]), NO_SOURCE)
