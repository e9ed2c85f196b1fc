"""Priority, resource limits, dumpable and AppArmor: who gets what, and who says so when not."""

import os
import re
import resource
import signal

import pytest

from harness import processes
from harness.fixtures import as_root, as_user, both_users
from harness.program import environment_for_signals, is_reference, muster_only

FILES, CORE = resource.RLIMIT_NOFILE, resource.RLIMIT_CORE
UNLIMITED = resource.RLIM_INFINITY


def nice(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def the_worker(daemon, pool="www"):
    (worker,) = daemon.wait_workers(1, pool)
    return worker


def limit(pid, what):
    """(soft, hard) of another process: prlimit(2) would need a capability for it."""
    name = {FILES: "Max open files", CORE: "Max core file size"}[what]
    with open(f"/proc/{pid}/limits", encoding="ascii") as table:
        (line,) = [line for line in table if line.startswith(name)]
    values = line[len(name) :].split()[:2]
    return tuple(UNLIMITED if value == "unlimited" else int(value) for value in values)


def may_raise_limits():
    return bool(int(processes.status_field(os.getpid(), "CapEff"), 16) & 1 << 24)


def without(capability, daemon):
    """The daemon started by a root that lacks a capability."""
    command = " ".join(["exec", *daemon.command("-F")])
    return ["capsh", f"--drop={capability}", "--", "-c", command]


def assert_refused(daemon, result, text, pool=None):
    daemon.allow_log(".*")
    assert result.returncode == 78, result.stderr
    # One look at everything: the error log and stderr both have the lines.
    assert re.search(rf"ERROR: {text}$", daemon.log.text(), re.M), daemon.log.text()
    assert daemon.log.find("ERROR: FPM initialization failed$")
    if pool:
        assert daemon.log.find(rf"ERROR: \[pool {pool}\] child failed to initialize$")


# Priority


@as_root
def test_every_pool_has_its_priority_and_else_the_masters(daemon):
    daemon.configure(
        {"plain": {}, "worse": {"process.priority": "7"}, "better": {"process.priority": "-3"}},
        {"process.priority": "2"},
    ).start()
    assert nice(daemon.master) == 2
    workers = {pool: nice(the_worker(daemon, pool)) for pool in ("plain", "worse", "better")}
    assert workers == {"plain": 2, "worse": 7, "better": -3}
    managers = {pool: nice(pid) for pool, pid in daemon.managers().items()}
    if not is_reference():
        assert managers == {"plain": 2, "worse": 2, "better": -3}, "a manager is never worse off"


@as_root
def test_priority_changes_with_a_reload(daemon):
    daemon.configure({"www": {"process.priority": "3"}}).start()
    assert (nice(daemon.master), nice(the_worker(daemon))) == (0, 3)
    daemon.configure({"www": {"process.priority": "-2"}}, {"process.priority": "1"})
    daemon.reload()
    assert (nice(daemon.master), nice(the_worker(daemon))) == (1, -2)
    daemon.configure({"www": {}}, {"process.priority": "-1"})
    daemon.reload()
    assert (nice(daemon.master), nice(the_worker(daemon))) == (-1, -1)


@as_root
def test_a_priority_the_master_may_not_take_ends_the_start(daemon):
    daemon.configure({"www": {}}, {"process.priority": "-3"})
    result = daemon.run(command=without("cap_sys_nice", daemon))
    text = r"Unable to set priority for the master process: Permission denied \(13\)"
    assert_refused(daemon, result, text)
    assert not os.path.exists(daemon.address())


@as_root
@muster_only
def test_a_priority_a_pool_may_not_take_ends_its_start(daemon):
    daemon.configure({"www": {"process.priority": "-3"}})
    result = daemon.run(command=without("cap_sys_nice", daemon))
    text = r"\[pool www\] Unable to set priority for this new process: Permission denied \(13\)"
    assert_refused(daemon, result, text, "www")


@as_root
def test_a_worse_priority_needs_no_right(daemon):
    daemon.configure({"www": {"process.priority": "3"}})
    daemon.start(command=without("cap_sys_nice", daemon))
    assert nice(the_worker(daemon)) == 3


@as_user
def test_what_only_root_can_do_is_ignored_with_a_notice(arena, daemon):
    ignored = {
        "user": "games",
        "group": "no-such-group-here",
        "chroot": arena.site,
        "process.priority": "5",
    }
    daemon.configure({"first": ignored, "second": {"user": "games"}}, {"process.priority": "4"})
    daemon.start()
    tail = " directive is ignored when FPM is not running as root"
    lines = [
        line.split("NOTICE: ", 1)[1] for line in daemon.log.find("directive is ignored when FPM")
    ]
    assert lines == [
        "'process.priority'" + tail,
        *[f"[pool first] '{name}'{tail}" for name in ignored],
        f"[pool second] 'user'{tail}",
    ]
    assert [nice(daemon.master), nice(the_worker(daemon, "first"))] == [nice(os.getpid())] * 2
    daemon.assert_serves("first")


# Limits


@both_users
def test_limits_of_the_master_are_inherited(daemon):
    daemon.configure({"www": {}}, {"rlimit_files": "300", "rlimit_core": "4096"})
    daemon.start(env=environment_for_signals())
    worker = the_worker(daemon)
    assert limit(daemon.master, FILES) == limit(worker, FILES) == (300, 300)
    assert limit(daemon.master, CORE) == limit(worker, CORE) == (4096, 4096)


@both_users
def test_limits_of_a_pool_are_those_of_its_workers(daemon):
    pools = {
        "small": {"rlimit_files": "64", "rlimit_core": "5000", "pm.max_children": "1"},
        "plain": {},
    }
    daemon.configure(pools, {"rlimit_files": "300"}).start()
    assert limit(the_worker(daemon, "small"), FILES) == (64, 64)
    assert limit(the_worker(daemon, "small"), CORE) == (5000, 5000)
    assert limit(the_worker(daemon, "plain"), FILES) == (300, 300)
    assert limit(the_worker(daemon, "plain"), CORE) == limit(daemon.master, CORE)
    for pool in pools:
        daemon.assert_serves(pool)


@both_users
def test_core_files_of_any_size(daemon):
    daemon.configure({"www": {"rlimit_core": "unlimited"}}).start()
    assert limit(the_worker(daemon), CORE) == (UNLIMITED, UNLIMITED)


def limited(daemon, *options):
    return ["prlimit", *options, *daemon.command("-F")]


@as_root
@pytest.mark.skipif(not may_raise_limits(), reason="needs CAP_SYS_RESOURCE")
def test_root_raises_limits_that_are_too_low(daemon):
    daemon.configure({"www": {"rlimit_files": "2048", "rlimit_core": "unlimited"}})
    daemon.start(command=limited(daemon, "--nofile=512:512", "--core=0:0"))
    assert limit(the_worker(daemon), FILES) == (2048, 2048)
    assert limit(the_worker(daemon), CORE) == (UNLIMITED, UNLIMITED)


@as_user
def test_a_pool_limit_that_cannot_be_had_is_reported_and_the_pool_serves(daemon):
    daemon.configure(
        {"www": {"rlimit_files": "2048", "rlimit_core": "9000", "catch_workers_output": "yes"}}
    )
    daemon.allow_log("failed to set rlimit_")
    daemon.start(command=limited(daemon, "--nofile=512:512", "--core=0:0"))
    for directive, name, value in (
        ("rlimit_files", "RLIMIT_NOFILE", 2048),
        ("rlimit_core", "RLIMIT_CORE", 9000),
    ):
        daemon.log.wait_for(
            rf"ERROR: \[pool www\] failed to set {directive} for this pool\. Please check your "
            rf"system limits or decrease {directive}\. setrlimit\({name}, {value}\): "
            r"Operation not permitted \(1\)"
        )
    assert limit(the_worker(daemon), FILES) == (512, 512)
    daemon.assert_serves()


@pytest.mark.parametrize(
    "directive, name, option, value",
    [
        ("rlimit_files", "RLIMIT_NOFILE", "--nofile=512:512", 2048),
        ("rlimit_core", "RLIMIT_CORE", "--core=0:0", -1),
    ],
)
@as_user
def test_a_global_limit_that_cannot_be_had_ends_the_start(daemon, directive, name, option, value):
    written = "unlimited" if value < 0 else value
    daemon.configure({"www": {}}, {directive: written})
    result = daemon.run(command=limited(daemon, option))
    text = (
        rf"failed to set {directive} for this pool\. Please check your system limits or decrease "
        rf"{directive}\. setrlimit\({name}, {value}\): Operation not permitted \(1\)"
    )
    assert_refused(daemon, result, text)


@as_root
@muster_only
def test_a_global_limit_that_cannot_be_had_refuses_a_reload(daemon):
    daemon.configure().start()
    worker = the_worker(daemon)
    daemon.configure({"www": {}}, {"rlimit_files": "1999999999"})
    daemon.allow_log("failed to set rlimit_files", "the reload is refused")
    daemon.signal(signal.SIGUSR2)
    daemon.log.wait_for("the reload is refused")
    assert daemon.workers() == {worker}
    daemon.assert_serves()


@both_users
@muster_only
def test_what_a_manager_needs_is_not_given_to_scripts(daemon):
    daemon.configure(
        {"www": {"pm": "ondemand", "pm.max_children": "200", "catch_workers_output": "yes"}}
    )
    daemon.start(command=limited(daemon, "--nofile=256:2000"))
    daemon.assert_serves()
    assert limit(the_worker(daemon), FILES) == (256, 2000)
    assert limit(daemon.managers()["www"], FILES)[0] > 800


# Traces and cores


def owner_of(pid):
    """Root's, unless the process may be traced by its own user."""
    return os.stat(f"/proc/{pid}/environ").st_uid


@as_root
def test_workers_are_dumpable_on_demand(daemon):
    daemon.configure({"open": {"process.dumpable": "yes"}, "closed": {}}).start()
    assert owner_of(the_worker(daemon, "open")) == daemon.identity.worker_uid
    assert owner_of(the_worker(daemon, "closed")) == 0


def apparmor_is_on():
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="ascii") as flag:
            return flag.read().startswith("Y")
    except FileNotFoundError:
        return False


@both_users
@muster_only
def test_a_hat_that_is_not_there_ends_the_start(daemon):
    daemon.configure({"www": {"apparmor_hat": "no-such-hat"}})
    if apparmor_is_on():
        text = r"\[pool www\] failed to change to new confinement \(.*//no-such-hat\)\. .*"
    else:
        text = (
            r"\[pool www\] failed to query apparmor confinement\. Please check if "
            r"\"/proc/\*/attr/current\" is read and writeable\.: .* \(\d+\)"
        )
    assert_refused(daemon, daemon.run("-F"), text, "www")


@both_users
def test_titles_and_names_of_all_processes(daemon):
    daemon.configure({"www": {}, "a b": {"listen": f"{daemon.dir}/ab.sock"}}).start()
    prefix = "php-fpm" if is_reference() else "muster"
    assert processes.title(daemon.master) == f"{prefix}: master process ({daemon.conf})"
    for pool in ("www", "a b"):
        assert processes.title(the_worker(daemon, pool)) == f"{prefix}: pool {pool}"
