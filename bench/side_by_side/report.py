# The figures as a markdown table: medians, and ratios as medians over the pairs.
import statistics


def median_of(rows, key):
    return statistics.median(row[key] for row in rows)


def median_ratio(ours, theirs, key):
    """Each run against its neighbour in time, so that a slow minute of the machine cancels out."""
    return statistics.median(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))


def load_table(cases, names):
    ours, theirs = names
    lines = [
        f"| page, through nginx | {ours} req/s | {theirs} req/s | ratio | {ours} CPU µs/req "
        f"| {theirs} CPU µs/req | ratio | p99 ms, {ours} / {theirs} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for case in cases:
        a, b = case["runs"][ours], case["runs"][theirs]
        lines.append(
            f"| {case['title']} | {median_of(a, 'per_second'):,.0f} "
            f"| {median_of(b, 'per_second'):,.0f} | **{median_ratio(a, b, 'per_second'):.2f}** "
            f"| {median_of(a, 'cpu_us'):.1f} | {median_of(b, 'cpu_us'):.1f} "
            f"| **{median_ratio(a, b, 'cpu_us'):.2f}** "
            f"| {median_of(a, 'p99_ms'):.1f} / {median_of(b, 'p99_ms'):.1f} |"
        )
    return lines


def other_table(results, names):
    ours, theirs = names
    memory, start = results["memory"], results["start"]
    rows = [
        ("memory (PSS) of an idle, used worker, MiB", memory, "worker_pss_kib", 1 / 1024, 2),
        ("memory (PSS) of the whole tree, MiB", memory, "tree_pss_kib", 1 / 1024, 1),
        ("start to first answer, ms", start, "seconds", 1000, 1),
    ]
    lines = [f"| | {ours} | {theirs} | ratio |", "| --- | ---: | ---: | ---: |"]
    for title, figures, key, scale, digits in rows:
        a, b = figures[ours], figures[theirs]
        lines.append(
            f"| {title} | {median_of(a, key) * scale:.{digits}f} "
            f"| {median_of(b, key) * scale:.{digits}f} | **{median_ratio(a, b, key):.2f}** |"
        )
    return lines


def markdown(results):
    names = results["names"]
    machine = results["machine"]
    lines = load_table(results["cases"], names)
    lines += [""] + other_table(results, names)
    lines += [
        "",
        f"{results['pairs']} alternating pairs of {results['seconds']} s, medians; ratios are "
        f"medians over the pairs, {names[0]} by {names[1]}. {machine['cpus']} × "
        f"{machine['processor']}, Linux {machine['kernel']}, load before {machine['load']:.2f}. "
        + "; ".join(f"{name}: {results['versions'][name]}" for name in names)
        + ".",
    ]
    return "\n".join(lines)
