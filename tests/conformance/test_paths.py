"""Relative paths: -p, the pool's prefix, both, neither; chroot's $prefix; PHP settings that are paths."""

from compare.case import Case, conf, conf_lines, conforms

PLAIN = ("-n", "-y", "{dir}/fpm.conf", "-tt")
PREFIXED = ("-n", "-p", "{dir}/pre", "-y", "{dir}/fpm.conf", "-tt")
RELATIVE = ("-n", "-p", "pre", "-y", "{dir}/fpm.conf", "-tt")
SLASH = ("-n", "-p", "{dir}/pre/", "-y", "{dir}/fpm.conf", "-tt")
FOLDERS = (
    "pre/log", "pre/run", "pre/root/in", "own/log", "own/run", "own/root/in", "root/in",
    "pre/pre/run", "pre/pre/root", "pre/own/run", "pre/own/log",
)  # fmt: skip

SETTINGS = {
    "nothing": {},
    "listen": {"listen": "run/a.sock"},
    "access-log": {"access.log": "log/access.log"},
    "slowlog": {"slowlog": "log/slow.log"},
    "slowlog-opened": {"slowlog": "log/slow.log", "request_slowlog_timeout": "5s"},
    "chroot": {"chroot": "root"},
    "chroot-prefix": {"chroot": "$prefix/root"},
    "chroot-prefix-tight": {"chroot": "$prefixroot"},
    "chroot-prefix-alone": {"chroot": "$prefix"},
    "chroot-prefix-inside": {"chroot": "/x/$prefix"},
    "chdir": {"chdir": "root"},
    "chdir-absolute": {"chdir": "{dir}/root"},
    "chroot-chdir": {"chroot": "{dir}/root", "chdir": "/in"},
    "chroot-chdir-relative": {"chroot": "{dir}/root", "chdir": "in"},
    "chroot-chdir-missing": {"chroot": "{dir}/root", "chdir": "/missing"},
    "own": {"prefix": "{dir}/own"},
    "own-listen": {"prefix": "{dir}/own", "listen": "run/a.sock"},
    "own-access-log": {"prefix": "{dir}/own", "access.log": "log/access.log"},
    "own-chroot": {"prefix": "{dir}/own", "chroot": "root"},
    "own-chroot-prefix": {"prefix": "{dir}/own", "chroot": "$prefix/root"},
    "own-chdir": {"prefix": "{dir}/own", "chdir": "root"},
    "own-relative": {"prefix": "own", "listen": "run/a.sock"},
    "own-empty": {"prefix": "", "listen": "run/a.sock"},
    "own-missing": {"prefix": "{dir}/missing"},
    "own-file": {"prefix": "{dir}/fpm.conf"},
    "own-pool-word": {"prefix": "{dir}/$pool"},
    "own-slash": {"prefix": "{dir}/own/", "listen": "run/a.sock"},
    "dots": {"listen": "./run/../a.sock"},
    "listen-port": {"prefix": "{dir}/own", "listen": "9000"},
    "status-listen": {"prefix": "{dir}/own", "pm.status_listen": "run/s.sock"},
}
HOW = {"plain": PLAIN, "prefixed": PREFIXED, "relative": RELATIVE, "slash": SLASH}


@conforms(
    [
        Case(f"{name}-{how}", conf(settings), folders=FOLDERS, arguments=arguments)
        for name, settings in SETTINGS.items()
        for how, arguments in HOW.items()
        if how in ("plain", "prefixed")
        or name in ("nothing", "listen", "own-relative", "chdir", "chroot")
    ]
)
def test_pool_path(pair, case):
    pair.check(case)


GLOBALS = {
    "pid": {"pid": "run/x.pid"},
    "pid-empty": {"pid": ""},
    "error-log": {"error_log": "log/x.log"},
    "error-log-default": {"error_log": None},
    "error-log-empty": {"error_log": ""},
    "error-log-syslog": {"error_log": "syslog"},
    "error-log-SysLog": {"error_log": "SysLog"},
    "error-log-stderr": {"error_log": "/proc/self/fd/2"},
    "error-log-dev-stderr": {"error_log": "/dev/stderr"},
    "error-log-missing-directory": {"error_log": "{dir}/missing/x.log"},
    "error-log-directory": {"error_log": "{dir}/pre"},
    "error-log-null": {"error_log": "/dev/null"},
}


@conforms(
    [
        Case(f"{name}-{how}", conf(globals_=settings), folders=FOLDERS, arguments=arguments)
        for name, settings in GLOBALS.items()
        for how, arguments in HOW.items()
        if how != "plain" or name not in ("error-log-default", "error-log-empty")
    ]
)
def test_global_path(pair, case):
    pair.check(case)


NAMES = """error_log extension_dir sendmail_path session.cookie_path session_pgsql.sem_file_name
    soap.wsdl_cache_dir uploadprogress.file.filename_template xdebug.output_dir
    xdebug.profiler_output_dir xdebug.trace_output_dir xmms.path axis2.client_home blenc.key_file
    coin_acceptor.device ERROR_LOG include_path session.save_path""".split()


def ini(kind, value="some/where"):
    return "\n".join(f"{kind}[{name}] = {value}" for name in NAMES)


@conforms(
    [
        Case("value", conf_lines(ini("php_value"))),
        Case("admin-value", conf_lines(ini("php_admin_value"))),
        Case("absolute", conf_lines(ini("php_value", "/some/where"))),
        Case("prefixed", conf_lines(ini("php_value")), folders=FOLDERS, arguments=PREFIXED),
        Case("relative", conf_lines(ini("php_value")), folders=FOLDERS, arguments=RELATIVE),
        Case("own-prefix", conf_lines("prefix = {dir}\n" + ini("php_value"))),
        Case("own-prefix-behind", conf_lines(ini("php_value") + "\nprefix = {dir}")),
        Case("chroot", conf_lines("chroot = {dir}\n" + ini("php_value"))),
        Case("chroot-behind", conf_lines(ini("php_value") + "\nchroot = {dir}")),
        Case("syslog", conf_lines("php_value[error_log] = syslog")),
        Case("admin-syslog", conf_lines("php_admin_value[error_log] = syslog")),
        Case("admin-SYSLOG", conf_lines("php_admin_value[error_log] = SYSLOG")),
    ]
)
def test_ini_path(pair, case):
    pair.check(case)


@conforms(
    [
        Case(
            "missing",
            conf(),
            arguments=("-n", "-p", "{dir}/none", "-y", "{dir}/fpm.conf", "-t"),
            code=78,
        ),
        Case(
            "file",
            conf(),
            arguments=("-n", "-p", "{dir}/fpm.conf", "-y", "{dir}/fpm.conf", "-t"),
            code=78,
        ),
        Case("empty", conf(), arguments=("-n", "-p", "", "-y", "{dir}/fpm.conf", "-t"), code=0),
        Case(
            "default-file",
            files={"etc/php-fpm.conf": conf()},
            arguments=("-n", "-p", "{dir}", "-tt"),
            code=0,
        ),
        Case("default-file-missing", arguments=("-n", "-p", "{dir}", "-tt"), code=78),
        Case(
            "y-empty",
            files={"etc/php-fpm.conf": conf()},
            arguments=("-n", "-y", "", "-p", "{dir}", "-tt"),
        ),
        Case(
            "not-for-y",
            conf(),
            arguments=("-n", "-p", "{dir}/pre", "-y", "fpm.conf", "-t"),
            folders=("pre",),
        ),
    ]
)
def test_global_prefix(pair, case):
    pair.check(case)
