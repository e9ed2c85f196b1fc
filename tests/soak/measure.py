"""What a soak looks at in /proc: memory, descriptors and mappings of a daemon's processes."""

from harness import processes

def rollup_kib(pid):
    """{"Rss": …, "Pss": …, "Anonymous": …} of all mappings together."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            name, amount, _ = line.split()
            found[name.rstrip(":")] = int(amount)
    return found


def shared_mappings(pid):
    """How often each file or memfd is mapped shared."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        lines = [line.split(maxsplit=5) for line in file]
    return len([line for line in lines if line[1][3] == "s"])


def possessions(pid):
    return {
        "descriptors": len(processes.descriptors(pid)),
        "shared mappings": shared_mappings(pid),
    }


def slope(points):
    """Least squares: how much y grows for each x."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def floors(points, width):
    """The lowest of every `width` points: a worker between two requests, not in one."""
    groups = [points[at : at + width] for at in range(0, len(points) - width + 1, width)]
    return [min(group, key=lambda point: point[1]) for group in groups]


class Course:
    """The memory of each process as the requests go on."""

    KINDS = ("Rss", "Pss", "Anonymous")
    FLOOR_OF = 5

    def __init__(self):
        self._points = {}

    def sample(self, done, pids):
        for name, pid in pids.items():
            points = self._points.setdefault(name, {kind: [] for kind in self.KINDS})
            for kind, amount in rollup_kib(pid).items():
                if kind in points:
                    points[kind].append((done, amount))

    def growth(self, since):
        """{name: {kind: (KiB it has, KiB by which it grew, by the fitted line, from `since` on)}}"""
        found = {}
        for name, kinds in self._points.items():
            found[name] = {}
            for kind, points in kinds.items():
                late = floors([point for point in points if point[0] >= since], self.FLOOR_OF)
                span = late[-1][0] - late[0][0]
                found[name][kind] = (late[-1][1], slope(late) * span)
        return found
