"""What one case is: files, a command line, who runs it, and which differences it may show."""

from dataclasses import dataclass, field, replace

import pytest

from .known import with_known_differences

# "{dir}" in texts, arguments and environment stands for the case's own directory.
GLOBAL = {"error_log": "{dir}/error.log"}
POOL = {
    "user": "www-data",
    "group": "www-data",
    "listen": "{dir}/www.sock",
    "pm": "static",
    "pm.max_children": "1",
}
DYNAMIC = {
    "pm": "dynamic",
    "pm.max_children": "5",
    "pm.start_servers": "2",
    "pm.min_spare_servers": "1",
    "pm.max_spare_servers": "3",
}


@dataclass(frozen=True)
class Case:
    id: str
    text: str = ""  # the main file, fpm.conf
    files: dict = field(default_factory=dict)  # further ones: {name: text}
    folders: tuple = ()
    arguments: tuple = ("-n", "-y", "{dir}/fpm.conf", "-tt")
    environment: dict = field(default_factory=dict)
    who: tuple = ("root", "user")  # or ("any",): once, as whoever runs the suite
    code: int = None  # what php-fpm must leave with, so that a case tests what it means to
    says: tuple = ()  # fragments php-fpm must print, for the same reason
    differences: tuple = ()
    instead: tuple = ()  # ((php-fpm's words, muster's words), ...), explained by `differences`
    place: int = None  # line-numbers: the line muster must name
    # Where muster is to do another thing altogether, as `differences` explain: its exit code and
    # words it must say. Always, only for an ordinary user, or where it does not agree anyway.
    otherwise: tuple = None
    otherwise_user: tuple = None
    may: tuple = None

    def but(self, **changes):
        return replace(self, **changes)


def section(name, directives):
    lines = [f"[{name}]"]
    for key, value in directives.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                lines.append(f"{key} = {one}")
    return "\n".join(lines) + "\n"


def conf(pool=None, globals_=None, name="www", more=""):
    """A small valid file; `pool` and `globals_` add to it, None as a value takes a line away."""
    head = section("global", {**GLOBAL, **(globals_ or {})})
    return head + section(name, {**POOL, **(pool or {})}) + more


def conf_lines(pool_lines="", global_lines=""):
    """The same with raw lines appended to the sections."""
    head = section("global", GLOBAL) + global_lines + ("\n" if global_lines else "")
    return head + section("www", POOL) + pool_lines + ("\n" if pool_lines else "")


def conforms(cases, **common):
    """Parametrises a test: each case, with what is common to all, once for everybody who runs it."""
    cases = [with_known_differences(case.but(**common)) for case in cases]
    names = [case.id for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"two cases of one name: {twice}"
    return pytest.mark.parametrize(
        "case,who",
        [pytest.param(case, who, id=f"{case.id}-{who}") for case in cases for who in case.who],
        indirect=["who"],
    )
