"""Which cases show which difference: by the case's id, for tables whose cases are all alike.

A case may also name its differences itself. Whatever it names here or there is explained in
differences.md.
"""

import re
from dataclasses import replace

def shown_absolute(path):
    return tuple(
        (f"pm.status_listen = {name}", f"pm.status_listen = {path}/{name}")
        for name in ("other.sock", "www.sock", "run/s.sock")
    )


# (pattern over the whole id, differences, further changes of the case)
KNOWN = [
    (r"(global|pool)-(?!user|group|listen\.(owner|group))[a-z_.]+=-?\d{10,}d?", ("huge-numbers",),
     {"otherwise": (78, ("unable to parse value for entry",))}),
    (r"(global|pool)-[a-z_.]+=(1\.5s?|1␣s|1ms|s)", ("odd-values",), {}),
    (r"mode-(garbage|8)", ("odd-values",), {}),
    (r"(env|response)-single-unmatched(-first)?", ("odd-values",), {}),
    (r"pool-[a-z_.]+=yes!|global-[a-z_.]+=yes!", ("syntax-errors",), {}),
    (r"pool-(pm\.status_path|ping\.path)(=.*~.*|-twice)", ("syntax-errors",), {}),
    (r"(global-error_log=|error-log-)(syslog|SysLog)(-.*)?", ("syslog-away",), {}),
    (r"error-log-(dev-)?stderr-.*", ("standard-streams",), {"otherwise_user": (0, ("successful",))}),
    (r"pool-listen\.acl_(users|groups)(=.*|-.*)", ("test-checks-more",),
     {"may": (78, ("cannot get",))}),
    (r"acl-unknown", ("test-checks-more",), {"otherwise": (78, ("cannot get uid for user",))}),
    (r"port-(0|large|empty|garbage)", ("test-checks-more",),
     {"otherwise": (78, ("invalid port value",))}),
    (r"empty-user|root-user|root-group|root-numeric|pool-user=empty", ("test-checks-more",), {}),
    (r"ondemand-(poll|select)", ("events-mechanism",), {"otherwise": (0, ("successful",))}),
    (r"pool-pm\.min_spare_servers(=0*7|-.*)|pool-pm=Dynamic|slow-beyond-terminate",
     ("all-problems",), {}),
    (r"error-(after-an|inside-a-second)-include", ("all-problems",), {}),
    (r"pool-pm\.status_listen=(other|\$pool)\.sock", ("status-listen",),
     {"instead": shown_absolute("/usr")}),
    (r"status-listen-plain", ("status-listen",), {"instead": shown_absolute("/usr")}),
    (r"status-listen-prefixed", ("status-listen",), {"instead": shown_absolute("{dir}/pre")}),
    (r"own-empty-plain", ("empty-prefix",), {"instead": (("= /run/a", "= /usr/run/a"),)}),
    (r"own-empty-prefixed", ("empty-prefix",), {"instead": (("= /run/a", "= {dir}/pre/run/a"),)}),
    (r"chroot-chdir-relative-.*", ("chdir-in-chroot",), {"otherwise": (0, ("chdir = /in",))}),
    (r"syslog", ("syslog-word",), {"instead": (("= /usr/syslog", "= syslog"),)}),
    (r"main-file-directory", ("directory-as-file",),
     {"otherwise": (78, ("failed to open configuration file",))}),
    (r"(env|response)-variable-fallback", ("fallbacks",), {"instead": (("= ab", "= afallbackb"),)}),
    (r"(env|response)-(control-byte|delete-byte|form-feed|vertical-tab)", ("control-bytes",), {}),
    (r"env-(word-before-single|equals-first)|(or|and)-key|garbage|two-on-one-line|quote-over-lines",
     ("syntax-errors",),
     {"otherwise": (78, ("syntax error", "fpm.conf:"))}),
    (r"(env|response)-dollar-alone", ("lone-dollar",), {"otherwise": (0, ("= $\n",))}),
    (r"nul-in-key", ("nul-bytes",), {"otherwise": (78, ("fpm.conf:9]",))}),
    (r"utf-16", ("all-problems",), {}),
]  # fmt: skip


def with_known_differences(case):
    for pattern, differences, changes in KNOWN:
        if re.fullmatch(pattern, case.id):
            named = (*case.differences, *(d for d in differences if d not in case.differences))
            case = replace(case, differences=named, **changes)
    return case
