"""The command line: which file is read, combinations of options, exit codes, usage."""

from compare.case import Case, conf, conforms

Y = ("-y", "{dir}/fpm.conf")


def run(name, *arguments, **more):
    return Case(name, more.pop("text", conf()), arguments=arguments, **more)


@conforms(
    [
        run("t", "-n", *Y, "-t", code=0),
        run("t-t", "-n", *Y, "-t", "-t", code=0),
        run("tt", "-n", *Y, "-tt", code=0),
        run("ttt", "-n", *Y, "-ttt", code=0),
        run("long-test", "--no-php-ini", "--fpm-config", "{dir}/fpm.conf", "--test", code=0),
        run("long-equals", "-n", "--fpm-config={dir}/fpm.conf", "--test", code=0),
        run("attached", "-n", "-y{dir}/fpm.conf", "-t", code=0),
        run("attached-equals", "-n", "-y={dir}/fpm.conf", "-t", code=0),
        run("bundled", "-nt", *Y, code=0),
        run("bundled-argument", "-nty", "{dir}/fpm.conf", code=0),
        run("y-twice", "-n", "-y", "{dir}/none", *Y, "-t", code=0),
        run("test-daemonize", "-n", *Y, "-t", "-D", code=0),
        run("dump-daemonize", "-n", *Y, "-tt", "-D", says=("daemonize = yes",)),
        run("dump-foreground", "-n", *Y, "-tt", "-F", says=("daemonize = no",)),
        run("dump-last-wins", "-n", *Y, "-tt", "-F", "-D", says=("daemonize = yes",)),
        run("dump-last-wins-other", "-n", *Y, "-tt", "-D", "-F", says=("daemonize = no",)),
        run("dump-nodaemonize", "-n", *Y, "-tt", "--nodaemonize", says=("daemonize = no",)),
        run("dump-long-daemonize", "-n", *Y, "-tt", "--daemonize"),
        run("force-stderr", "-n", *Y, "-tt", "-O"),
        run("force-stderr-foreground", "-n", *Y, "-tt", "-F", "-O"),
        run("force-stderr-long", "-n", *Y, "-t", "-F", "--force-stderr"),
        run("allow-root", "-n", *Y, "-t", "-R", text=conf({"user": None, "group": None}), code=0),
        run("allow-root-long", "-n", *Y, "-t", "--allow-to-run-as-root", code=0),
        run("pid", "-n", *Y, "-tt", "-g", "{dir}/g.pid", says=("pid = {dir}/g.pid",)),
        run("pid-relative", "-n", *Y, "-tt", "-g", "g.pid"),
        run("pid-empty", "-n", *Y, "-tt", "-g", ""),
        run("pid-long", "-n", *Y, "-tt", "--pid={dir}/g.pid"),
        run(
            "pid-of-file-wins", "-n", *Y, "-tt", "-g", "{dir}/g.pid",
            text=conf(globals_={"pid": "{dir}/f.pid"}), says=("pid = {dir}/f.pid",),
        ),
        run(
            "pid-of-file-empty", "-n", *Y, "-tt", "-g", "{dir}/g.pid",
            text=conf(globals_={"pid": ""}),
        ),
        run("profile-info", "-n", "-e", *Y, "-t", code=0),
        run("define-file", "-n", "-d", "fpm.config={dir}/fpm.conf", "-t", code=0),
        run("define-file-y-wins", "-n", "-d", "fpm.config={dir}/none", *Y, "-t", code=0),
        run("define-file-y-empty", "-n", "-d", "fpm.config={dir}/fpm.conf", "-y", "", "-p", "{dir}", "-t"),
        run("define-file-missing", "-n", "-d", "fpm.config={dir}/none", "-t", code=78),
        run("define-file-beats-prefix", "-n", "-d", "fpm.config={dir}/fpm.conf", "-p", "{dir}", "-t"),
        run("define-long", "-n", "--define", "V=x", *Y, "-tt", text=conf({"env[A]": "${V}"})),
        run("define-equals", "-n", "-d=V=x", *Y, "-tt", text=conf({"env[A]": "${V}"})),
        run("define-quoted", "-n", "-d", 'V="a b"', *Y, "-tt", text=conf({"env[A]": "${V}"})),
        run("define-slash", "-n", "-d", "V=/a/b", *Y, "-tt", text=conf({"env[A]": "${V}"})),
        run("define-yes", "-n", "-d", "V=yes", *Y, "-tt", text=conf({"env[A]": "${V}"})),
        run("define-empty", "-n", "-d", "V=", *Y, "-tt", text=conf({"env[A]": "a${V}b"})),
        run("define-twice", "-n", "-d", "V=1", "-d", "V=2", *Y, "-tt", text=conf({"env[A]": "${V}"})),
        run(
            "ini-file", "-c", "{dir}/p.ini", "-t",
            files={"p.ini": "fpm.config = {dir}/fpm.conf\n"}, code=0,
        ),
        run(
            "ini-directory", "-c", "{dir}/i", "-t",
            files={"i/php.ini": "fpm.config = {dir}/fpm.conf\n"}, code=0,
        ),
        run(
            "ini-given-despite-n", "-n", "-c", "{dir}/p.ini", "-p", "{dir}", "-t",
            files={"p.ini": "fpm.config = {dir}/none\n", "etc/php-fpm.conf": conf()}, code=78,
        ),
        run(
            "ini-twice", "-c", "{dir}/none.ini", "-c", "{dir}/p.ini", "-t",
            files={"p.ini": "fpm.config = {dir}/fpm.conf\n"}, code=0,
        ),
    ]
)  # fmt: skip
def test_configuration_test(pair, case):
    pair.check(case)


@conforms(
    [
        run("help", "-h", code=0),
        run("question", "-?", code=0),
        run("long-help", "--help", code=0),
        run("usage", "--usage", code=0),
        run("help-first", "-h", "-v", code=0),
        run("help-bundled", "-hn", code=0),
        run("help-then-unknown", "-h", "-Z", code=0),
        run("unknown", "-Z", code=64),
        run("unknown-long", "--no-such-option", code=64),
        run("unknown-then-help", "-Z", "-h", code=64),
        run("argument", "word", code=64),
        run("argument-after-options", "-n", "word", code=64),
        run("argument-after-dashes", "-n", "--", "-t", code=64),
        run("dash", "-n", "-", "-t"),
        run("empty-argument", "-n", "", "-t"),
        run("missing-argument", "-n", "-y", code=64),
        run("missing-argument-d", "-n", "-d", code=64),
        run("missing-argument-long", "-n", "--pid", code=64),
        run("abbreviated", "-n", "--tes", code=64),
        run("long-with-value", "-n", "--test=1", *Y),
        run("argument-and-test", "-n", *Y, "-t", "word", code=64),
    ],
    who=("any",),
    differences=("usage-problem",),
)
def test_usage(pair, case):
    pair.check(case)


@conforms(
    [
        run("version", "-n", "-v", code=0),
        run("version-long", "-n", "--version", code=0),
        run("version-before-help", "-n", "-v", "-h", code=0),
        run("version-beats-info", "-n", "-i", "-v", code=0),
        run("modules", "-n", "-m", code=0),
        run("modules-long", "-n", "--modules", code=0),
        run("version-with-ini", "-v", code=0),
        run("modules-with-ini", "-m", code=0),
    ],
    who=("any",),
)
def test_description(pair, case):
    pair.check(case)
