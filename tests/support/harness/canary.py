"""A PHP script that tells everything a request could find of the one before it, and its comparison.

The script runs on a worker whose last request ended in some way; what it tells must be what it
tells on a fresh worker. What it cannot see (the process between two requests) is read from /proc.
"""

import json
import os
import signal

from . import processes
from .waiting import wait_until

SCRIPT = r"""<?php
$known = array_keys(get_defined_vars());
sort($known);
$seen = ['variables' => $known];
foreach (['_SERVER' => $_SERVER, '_GET' => $_GET, '_POST' => $_POST, '_FILES' => $_FILES,
          '_COOKIE' => $_COOKIE, '_REQUEST' => $_REQUEST, '_ENV' => $_ENV] as $name => $array) {
    unset($array['REQUEST_TIME'], $array['REQUEST_TIME_FLOAT']);
    $seen[$name] = $array;
}
$seen['input'] = file_get_contents('php://input');
$seen['upload'] = [is_uploaded_file(__FILE__), $_FILES];
$seen['headers in'] = getallheaders();
$seen['headers out'] = [headers_list(), headers_sent(), http_response_code()];
$seen['ini'] = ini_get_all();
$seen['environment'] = [getenv(), getenv(null, true), array_map('getenv', ['TZ', 'LEAK', 'PATH'])];
$seen['umask'] = umask();
$seen['directory'] = getcwd();
$seen['locale'] = [setlocale(LC_ALL, 0), localeconv(), ucfirst("\xe4"), strtoupper("\xe4"),
    locale_get_default(), textdomain(null), strftime_like()];
$seen['time zone'] = [date_default_timezone_get(), date('T', 0), date('H', 0)];
$seen['output'] = [ob_get_level(), ob_list_handlers(), ob_get_status(true)];
$seen['error handling'] = [set_error_handler(null), set_exception_handler(null), error_get_last(),
    error_reporting(), array_map(fn($k) => @assert_options($k), range(1, 5)),
    libxml_use_internal_errors(), libxml_get_errors()];
$seen['last errors'] = [json_last_error(), preg_last_error(), posix_get_last_error(),
    socket_last_error(), openssl_error_string(), intl_get_error_code(), mysqli_connect_errno(),
    class_exists('Normalizer') ? intl_get_error_message() : 0];
$seen['files'] = get_included_files();
$seen['classes'] = get_declared_classes();
$seen['interfaces'] = [get_declared_interfaces(), get_declared_traits()];
$seen['functions'] = get_defined_functions();
$seen['constants'] = array_map('array_keys', get_defined_constants(true));
$seen['extensions'] = get_loaded_extensions();
$seen['streams'] = [stream_get_wrappers(), stream_get_filters(), stream_get_transports(),
    stream_context_get_options(stream_context_get_default()), array_map('get_resource_type',
    get_resources()), @file_get_contents('data:,x'), is_resource(@fopen(__FILE__, 'r'))];
$seen['autoload'] = [spl_autoload_functions(), spl_autoload_extensions()];
$seen['session'] = [session_status(), session_id(), session_name(), isset($_SESSION),
    session_module_name(), session_save_path(), session_get_cookie_params(),
    session_cache_limiter()];
$seen['mbstring'] = [mb_internal_encoding(), mb_language(), mb_substitute_character(),
    mb_detect_order(), mb_http_output(), mb_regex_encoding(), mb_regex_set_options(),
    mb_http_input()];
$seen['collector'] = [gc_enabled(), gc_status()['threshold']];
$seen['abort'] = [connection_status(), ignore_user_abort()];
$seen['random'] = in_array(mt_rand(), [1387371662, 2008121122, 1908702743, 1354439493], true);
$seen['tokens'] = strtok(' ');
$seen['owner'] = [getmyuid(), getlastmod(), get_current_user()];
$seen['rewriting'] = '<a href="canary.php">';
$seen['user'] = [posix_getuid(), posix_geteuid(), posix_getgid(), posix_getgroups()];
$seen['priority'] = [explode(' ', preg_replace('/.*\) /', '',
    file_get_contents('/proc/self/stat')))[16], posix_getsid(0) === posix_getpgid(0)];
$seen['limits'] = file_get_contents('/proc/self/limits');
$seen['timers'] = @file_get_contents('/proc/self/timers');
$seen['status'] = array_values(preg_grep(
    '/^(Name|Umask|Threads|Sig[PBIC]|Shd|Cap|NoNew|Seccomp|Groups|Uid|Gid|CoreDumping)/',
    file('/proc/self/status')));
$seen['title'] = file_get_contents('/proc/self/cmdline');
$seen['children'] = file_get_contents('/proc/self/task/' . getmypid() . '/children');
$seen['lock'] = flock(fopen("{$_GET['scratch']}/lock", 'c'), LOCK_EX | LOCK_NB);
$seen['semaphore'] = sem_acquire(sem_get((int) $_GET['key']), true);
$seen['temporary'] = array_values(array_diff(scandir("{$_GET['scratch']}/tmp"), ['.', '..']));
$open = [];
foreach (scandir('/proc/self/fd') as $number) {
    $target = is_numeric($number) ? @readlink("/proc/self/fd/$number") : false;
    if ($target !== false && !str_starts_with($target, '/proc/')) {
        $open[] = preg_replace('/:\[\d+\]/', '', $target);
    }
}
sort($open);
$seen['descriptors'] = $open;
$seen['statics'] = counted();
$seen['later'] = [function_exists('leaked'), class_exists('Leaked', false), defined('LEAKED'),
    isset($GLOBALS['leaked']), class_exists('Unknown')];

function counted() { static $n = 0; return ++$n; }
function strftime_like() { return sprintf('%.2f', 1234.5) . '|' . 1.5 . '|' . json_encode(0.1); }

$pid = getmypid();
array_walk_recursive($seen, function (&$value) {
    if (is_object($value)) {
        $value = get_class($value);
    } elseif (is_string($value)) {
        $value = mb_convert_encoding($value, 'UTF-8', 'ISO-8859-1');
    }
});
header('Content-Type: application/json');
echo json_encode(['pid' => $pid, 'seen' => $seen], JSON_THROW_ON_ERROR);
"""


def between_requests(pid):
    """What belongs to the process itself and must be the same whenever it waits."""
    status = {
        name: processes.status_field(pid, name)
        for name in ("Umask", "SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "Threads")
    }
    # The engine puts its handler there with the first time limit.
    caught = int(status["SigCgt"] or "0", 16) & ~(1 << (signal.SIGPROF - 1))
    status["SigCgt"] = f"{caught:016x}"
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read()
    with open(f"/proc/{pid}/environ", "rb") as file:
        environment = file.read()
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        limits = file.read()
    return {
        "status": status,
        "directory": os.readlink(f"/proc/{pid}/cwd"),
        "environment": environment.decode(errors="replace"),
        "limits": limits,
        "children": children,
    }


def differences(fresh, now, path=""):
    """["ini.precision.local_value: '14' → '5'", …]"""
    if isinstance(fresh, list) and isinstance(now, list):
        fresh, now = dict(enumerate(fresh)), dict(enumerate(now))
    if isinstance(fresh, dict) and isinstance(now, dict):
        found = []
        for key in [*fresh, *(key for key in now if key not in fresh)]:
            below = f"{path}.{key}" if path else str(key)
            if key not in now or key not in fresh:
                what = now.get(key, fresh.get(key))
                found.append(f"{below}: {'new' if key in now else 'gone'} {what!r:.200}")
            else:
                found += differences(fresh[key], now[key], below)
        return found
    return [] if fresh == now else [f"{path}: {fresh!r:.200} → {now!r:.200}"]


class Canary:
    """Compares workers of one pool with how they were when they were born."""

    KEY = 0x4D757374

    def __init__(self, daemon, pool="www"):
        self.daemon, self.pool = daemon, pool
        self.scratch = daemon.arena.scratch
        os.makedirs(f"{self.scratch}/tmp", exist_ok=True)
        os.chmod(f"{self.scratch}/tmp", 0o1777)
        self.path = daemon.arena.script("canary.php", SCRIPT)
        self.pid = self.fresh = self.fresh_between = None

    @staticmethod
    def directives(scratch):
        """For the pool: a folder of its own for temporary files, and values that show changes."""
        return {
            "php_admin_value[upload_tmp_dir]": f"{scratch}/tmp",
            "php_admin_value[sys_temp_dir]": f"{scratch}/tmp",
            "php_value[session.save_path]": f"{scratch}",
            "php_admin_value[user_ini.cache_ttl]": "0",
            "php_admin_value[memory_limit]": "32M",
            "php_value[max_execution_time]": "1",
            "php_admin_value[display_errors]": "0",
            "php_admin_value[session.upload_progress.enabled]": "1",
        }

    def ask(self, connection=None):
        """(pid, what the script sees)."""
        query = f"scratch={self.scratch}&key={self.KEY}"
        params = self.daemon.params(self.path, query=query)
        if connection is None:
            with self.daemon.connect(self.pool, 20.0) as own:
                answer = own.ask(params)
        else:
            answer = connection.ask(params, keep=True)
        assert answer.ended and answer.status == 200, answer.stdout
        found = json.loads(answer.text)
        return found["pid"], found["seen"]

    def remember(self):
        """What a worker sees that has served nothing else, with the script in OPcache."""
        first, _ = self.ask()
        self.start_anew(first)
        self.pid, self.fresh = self.ask()
        assert self.pid != first
        self.fresh_between = between_requests(self.pid)

    def start_anew(self, pid):
        """Has a fresh worker take the place of one."""
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not processes.is_alive(pid), "the worker leaves")

    def _changes_between(self):
        found = []

        def settled():
            nonlocal found
            try:
                found = differences(self.fresh_between, between_requests(self.pid))
            except OSError:
                found = []  # it has left
            return not found

        try:
            wait_until(settled, "the worker is as before", 1)
        except AssertionError:
            return [f"between requests: {line}" for line in found]
        return []

    def changes(self, connection=None):
        """What the worker that served last shows of it: a list of texts."""
        found = self._changes_between()
        self.pid, seen = self.ask(connection)
        return found + differences(self.fresh, seen)
