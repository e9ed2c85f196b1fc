"""What a script tells in its shutdown function, when no client hears it any more."""

import json
import os

from .waiting import wait_until


def noting(arena, name, values="connection_status()"):
    """PHP whose shutdown function leaves a file, and the way to wait for what stands in it.
    `values`: PHP expressions, evaluated there."""
    file = f"{arena.scratch}/{name}.end"
    code = (
        f"register_shutdown_function(function () {{ file_put_contents('{file}.part',"
        f" json_encode([{values}])); rename('{file}.part', '{file}'); }});"
    )

    def wait():
        wait_until(lambda: os.path.exists(file), f"the shutdown function of {name} has run")
        with open(file, encoding="ascii") as text:
            return json.load(text)

    return code, wait
