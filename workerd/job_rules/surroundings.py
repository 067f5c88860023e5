"""The rules for where a process begins and which permissions its files get. Whether it is there, a child sees."""

import re

from .rule import Rule, rule_of, shown

_UMASK = re.compile(r"0?[0-7]{3}")


def directory_fault(path: str | None) -> str:
    if not path or path.startswith("/"):
        return ""
    return f"working_directory is {shown(path)}: write an absolute path, such as /srv/shop."


def umask_fault(umask: str | None) -> str:
    if not umask or _UMASK.fullmatch(umask):
        return ""
    return f"umask is {shown(umask)}: write three octal digits, such as 027."


RULES: tuple[Rule, ...] = (rule_of("working_directory", directory_fault), rule_of("umask", umask_fault))
