"""Looks at processes through /proc, and reaps those that were orphaned to us."""

import ctypes
import os
import signal

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Daemons that detach become our children, so that none can be left behind unseen."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _stat_fields(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            text = stat.read()
    except OSError:
        return None
    # The command in parentheses may hold anything, so count from its closing one.
    return text[text.rindex(")") + 2 :].split()


def state(pid):
    """One letter (R, S, Z, …), or None when there is no such process."""
    fields = _stat_fields(pid)
    return fields[0] if fields else None


def parent(pid):
    fields = _stat_fields(pid)
    return int(fields[1]) if fields else None


def session(pid):
    fields = _stat_fields(pid)
    return int(fields[3]) if fields else None


def is_alive(pid):
    return state(pid) not in (None, "Z", "X")


def everyone():
    """{pid: parent pid} of the whole system."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            above = parent(int(name))
            if above is not None:
                found[int(name)] = above
    return found


def descendants(root):
    parents = everyone()
    below = {}
    for pid, above in parents.items():
        below.setdefault(above, []).append(pid)
    found, open_ends = [], [root]
    while open_ends:
        children = below.get(open_ends.pop(), [])
        found.extend(children)
        open_ends.extend(children)
    return found


def title(pid):
    """The command line as ps shows it."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            return cmdline.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def status_field(pid, name):
    """A line of /proc/PID/status, e.g. "Uid" or "SigBlk"; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            for line in status:
                key, _, value = line.partition(":")
                if key == name:
                    return value.strip()
    except OSError:
        return None
    return None


def descriptors(pid):
    """{number: what it is open on}; empty when it cannot be seen."""
    found = {}
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    for number in numbers:
        try:
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
    return found


def zombies_below(root):
    return [pid for pid in descendants(root) if state(pid) == "Z"]


def reap_orphans(known):
    """Collects dead children of ours that no Popen object waits for."""
    me = os.getpid()
    for pid, above in everyone().items():
        if above == me and pid not in known and state(pid) == "Z":
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def send(pid, number):
    """A signal to one process; gone already is fine."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def kill_hard(pid):
    return send(pid, signal.SIGKILL)
