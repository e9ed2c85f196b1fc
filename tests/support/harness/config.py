"""Writes configuration files of the daemon: sensible small defaults, everything overridable."""

import socket


def free_port():
    """A TCP port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _lines(directives):
    for key, value in directives.items():
        values = value if isinstance(value, list) else [value]
        for one in values:
            if one is not None:
                yield f"{key} = {one}"


def pool_defaults(name, directory, identity):
    directives = {"listen": f"{directory}/{name}.sock", "pm": "static", "pm.max_children": "1"}
    if identity.is_root:
        directives["user"] = identity.worker_name
        directives["group"] = identity.worker_group
        directives["listen.owner"] = identity.worker_name
        directives["listen.group"] = identity.worker_group
    return directives


def global_defaults(directory):
    return {
        "pid": f"{directory}/d.pid",
        "error_log": f"{directory}/error.log",
        "process_control_timeout": "10s",
    }


def render(global_directives, pools):
    text = ["[global]", *_lines(global_directives)]
    for name, directives in pools.items():
        text += [f"[{name}]", *_lines(directives)]
    return "\n".join(text) + "\n"


def line_of(text, fragment):
    """Number of the line that holds `fragment`, as messages name it."""
    for number, line in enumerate(text.splitlines(), 1):
        if fragment in line:
            return number
    raise AssertionError(f"{fragment!r} is not in the configuration")
