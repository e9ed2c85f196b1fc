"""Options of the command line and their exit codes."""

import os
import re

import pytest

from harness import processes
from harness.fixtures import as_root, both_users
from harness.program import binary, binary_for, is_reference, muster_only


def run(daemon, *arguments):
    return daemon.run(command=[binary_for(daemon.identity), *arguments])


@pytest.mark.parametrize("option", ["-h", "-?", "--help", "--usage"])
def test_help_goes_to_stdout_and_exits_0(daemon, option):
    result = run(daemon, option)
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: ")
    for wanted in (
        "-y",
        "--fpm-config",
        "-t",
        "-F",
        "-D",
        "-c",
        "-n",
        "-d",
        "-p",
        "-g",
        "-R",
        "-v",
    ):
        assert wanted in result.stdout


@pytest.mark.parametrize("option", ["-v", "--version"])
def test_version_goes_to_stdout_and_exits_0(daemon, option):
    result = run(daemon, option)
    assert result.returncode == 0
    assert re.search(r"^(PHP|muster) \d+\.\d+", result.stdout, re.M), result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(
    "arguments", [["--no-such-option"], ["-Z"], ["-y"], ["stray"], ["-F", "stray"]]
)
def test_wrong_usage_exits_64(daemon, arguments):
    result = run(daemon, *arguments)
    assert result.returncode == 64
    assert "Usage: " in result.stdout


@both_users
def test_good_configuration_is_approved_by_t(daemon):
    daemon.configure()
    result = daemon.run("-t")
    assert result.returncode == 0, result.stderr
    assert f"NOTICE: configuration file {daemon.conf} test is successful" in result.stderr
    assert not os.path.exists(daemon.address())
    assert not os.path.exists(daemon.pid_file)
    assert daemon.log.find("test is successful")


def test_bad_configuration_is_refused_by_t(daemon):
    daemon.configure({"www": {"pm": "magic"}})
    result = daemon.run("-t")
    assert result.returncode == 78
    assert "FPM initialization failed" in result.stderr
    assert "test is successful" not in result.stderr


def test_tt_dumps_the_configuration(daemon):
    daemon.configure({"www": {"pm.max_children": "7", "env[A]": "b c"}})
    result = daemon.run("-tt")
    assert result.returncode == 0
    dump = re.sub(r"^\[[^]]*\] NOTICE: ", "", result.stderr, flags=re.M)
    for line in ("[global]", "[www]", "\tpm = static", "\tpm.max_children = 7", "\tenv[A] = b c"):
        assert line in dump.splitlines()


def test_options_in_every_spelling(daemon):
    daemon.configure()
    for arguments in (
        ["-ty", daemon.conf],
        ["-t", f"-y{daemon.conf}"],
        ["-t", f"-y={daemon.conf}"],
        ["--test", f"--fpm-config={daemon.conf}"],
        ["--test", "--fpm-config", daemon.conf],
    ):
        result = run(daemon, *arguments)
        assert result.returncode == 0, (arguments, result.stderr)


def test_c_n_and_d_set_ini_values(arena, daemon):
    path = arena.script("ini.php", "<?php echo ini_get($_GET['name']);")
    os.mkdir(f"{arena.dir}/ini")
    with open(f"{arena.dir}/ini/php.ini", "w", encoding="ascii") as file:
        file.write("precision = 7\nmemory_limit = 77M\n")
    daemon.configure()
    daemon.start("-c", f"{arena.dir}/ini", "-d", "precision=9", "-d", "html_errors")
    assert daemon.get(path, query="name=memory_limit").text == "77M"
    assert daemon.get(path, query="name=precision").text == "9"
    assert daemon.get(path, query="name=html_errors").text == "1"
    bare = arena.daemon("bare").configure().start("-n")
    assert bare.get(path, query="name=memory_limit").text == "128M"
    path = arena.script("ext.php", "<?php var_export(extension_loaded('mbstring'));")
    assert bare.get(path).text == "false"
    assert daemon.get(path).text == "true"


def test_prefix_applies_to_relative_paths(daemon):
    os.mkdir(f"{daemon.dir}/run")
    daemon.identity.give(f"{daemon.dir}/run")
    daemon.configure(
        {"www": {"listen": "run/w.sock", "access.log": "access"}},
        {"pid": "d.pid", "error_log": "error.log"},
    )
    daemon.start("-p", daemon.dir)
    daemon.pools["www"]["listen"] = f"{daemon.dir}/run/w.sock"
    daemon.assert_serves()
    assert os.path.exists(daemon.pid_file)
    assert os.path.exists(f"{daemon.dir}/access")


def test_missing_prefix_is_refused(daemon):
    daemon.configure()
    result = daemon.run("-t", "-p", "/no/such/dir")
    assert result.returncode == 78
    assert "the global prefix '/no/such/dir' does not exist or is not a directory" in result.stderr


def test_g_names_the_pid_file_unless_the_configuration_does(daemon):
    daemon.configure(globals_={"pid": None})
    daemon.start("-g", f"{daemon.dir}/given.pid")
    with open(f"{daemon.dir}/given.pid", encoding="ascii") as file:
        assert file.read() == str(daemon.master)


@as_root
def test_R_allows_a_pool_of_root(arena, daemon):
    daemon.configure({"www": {"user": "root", "group": "root"}}).start("-R")
    path = arena.script("who.php", "<?php echo posix_geteuid(), ' ', posix_getegid();")
    assert daemon.get(path).text == "0 0"


@both_users
def test_workers_run_as_the_pools_user(arena, daemon):
    daemon.start()
    code = """<?php
        echo implode(' ', [posix_getuid(), posix_geteuid(), posix_getgid(), getenv('USER')]);"""
    user = daemon.identity
    wanted = f"{user.worker_uid} {user.worker_uid} {user.worker_gid} {user.worker_name}"
    assert daemon.get(arena.script("who.php", code)).text == wanted
    (worker,) = daemon.workers()
    groups = os.getgrouplist(user.worker_name, user.worker_gid) if user.is_root else []
    seen = [int(gid) for gid in processes.status_field(worker, "Groups").split()]
    assert sorted(seen) == sorted(groups) or not user.is_root
    assert 0 not in seen or user.worker_uid == 0


def test_process_titles_name_configuration_and_pool(daemon):
    daemon.configure({"www": {}, "api": {}}).start()
    assert re.fullmatch(
        rf"(php-fpm|muster)\S*: master process \({re.escape(daemon.conf)}\)",
        processes.title(daemon.master),
    )
    daemon.wait_workers(1, "www")
    daemon.wait_workers(1, "api")
    if not is_reference():
        assert set(daemon.managers()) == {"www", "api"}


@muster_only
def test_v_names_muster_only_under_its_own_name(daemon):
    assert re.search(r"^    with muster v\d+\.\d+", run(daemon, "-v").stdout, re.M)
    link = f"{daemon.dir}/php-fpm8.2"
    os.symlink(os.path.realpath(binary_for(daemon.identity)), link)
    assert "muster" not in daemon.run(command=[link, "-v"]).stdout


@pytest.mark.parametrize(
    "called", ["php-fpm", "php-fpm8.2", "./php-fpm8.2", "{dir}/php-fpm8.2"]
)
def test_names_follow_what_it_was_called(daemon, called):
    """Titles and short names; no pattern by which workers are counted finds a manager."""
    os.symlink(os.path.realpath(binary_for(daemon.identity)), f"{daemon.dir}/php-fpm8.2")
    os.symlink("php-fpm8.2", f"{daemon.dir}/php-fpm")
    daemon.configure({"www": {"pm.max_children": "2"}, "api": {}})
    # A short environment leaves little room for titles.
    daemon.start(
        command=[called.format(dir=daemon.dir), "-F", "-y", daemon.conf], env={"PATH": daemon.dir}
    )
    daemon.wait_workers(2, "www")
    everybody = [daemon.master, *processes.descendants(daemon.master)]
    titles = sorted(processes.title(pid) for pid in everybody)
    managers = ["php-fpm: manager process (api)", "php-fpm: manager process (www)"]
    pools = ["php-fpm: pool api", "php-fpm: pool www", "php-fpm: pool www"]
    if is_reference():
        managers = []
    room = f"php-fpm: master process ({daemon.conf})"
    master = processes.title(daemon.master)
    assert room.startswith(master) and len(master) > len("php-fpm: master process"), master
    assert titles == sorted([master, *managers, *pools])
    names = {processes.status_field(pid, "Name") for pid in everybody}
    assert names == {os.path.basename(called)}


def test_e_compiles_scripts_for_debuggers(arena, daemon):
    """Visible in the opcodes that OPcache can be told to print."""
    path = arena.script("short.php", "<?php echo 'x';")
    options = ["-d", "opcache.enable=1", "-d", "opcache.opt_debug_level=0x10000"]
    for more, expected in ([], False), (["-e"], True):
        daemon = arena.daemon("e" if more else "plain")
        daemon.configure({"www": {"catch_workers_output": "yes"}}, {"log_limit": "100000"})
        daemon.start(*options, *more)
        assert daemon.get(path).text == "x"
        daemon.log.wait_for("ECHO string")
        assert ("EXT_STMT" in daemon.log.text()) is expected


def test_called_through_a_link_named_php_fpm(daemon):
    link = f"{daemon.dir}/php-fpm8.2"
    os.symlink(os.path.realpath(binary_for(daemon.identity)), link)
    version = daemon.run(command=[link, "-v"])
    assert version.returncode == 0
    assert "(fpm-fcgi)" in version.stdout
    usage = daemon.run(command=[link, "-h"])
    assert usage.stdout.startswith("Usage: php-fpm8.2 ")
    daemon.configure()
    daemon.start(command=[link, "-F", "-y", daemon.conf])
    daemon.assert_serves()


def test_the_program_is_the_one_named():
    assert os.access(binary(), os.X_OK)
