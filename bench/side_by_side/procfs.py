# What /proc tells about a process tree: its members, its CPU time, the memory of its workers.
import os
import statistics
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def children_of(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


def tree_of(pid):
    """The process and all below it."""
    members = [pid]
    for child in children_of(pid):
        members += tree_of(child)
    return members


def workers_of(pid):
    """The leaves of the tree: whoever has no child serves requests."""
    return [member for member in tree_of(pid) if member != pid and not children_of(member)]


def stat_fields(pid):
    """The fields after the name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid):
    """User and system time of one process, by the scheduler's clock where the kernel has it."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        return sum(int(field) for field in stat_fields(pid)[11:13]) / TICKS_PER_SECOND


def tree_cpu_seconds(pid):
    """The living by the fine clock, and those they have reaped (utime, stime of children)."""
    total = 0.0
    for member in tree_of(pid):
        total += cpu_seconds(member)
        total += sum(int(field) for field in stat_fields(member)[13:15]) / TICKS_PER_SECOND
    return total


def pss_kib(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError(f"no Pss in smaps_rollup of {pid}")


def memory_figures(pid):
    """Proportional set sizes in KiB: the median worker, and the whole tree."""
    return {
        "worker_pss_kib": statistics.median(pss_kib(worker) for worker in workers_of(pid)),
        "tree_pss_kib": sum(pss_kib(member) for member in tree_of(pid)),
        "workers": len(workers_of(pid)),
    }
