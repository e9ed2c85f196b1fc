"""The command line beside the packaged php-fpm's: the same arguments, the same output and exit code."""

import os
import re

import pytest

from harness.program import binary_for, is_reference

REFERENCE = "/usr/sbin/php-fpm8.2"

pytestmark = [
    pytest.mark.skipif(not os.access(REFERENCE, os.X_OK), reason="php-fpm8.2 is not installed"),
    pytest.mark.skipif(
        "MUSTER_BINARY" in os.environ and is_reference(), reason="compares muster with php-fpm"
    ),
]

# Each ends at once whatever it means: with a text, a usage error, or a test of OK.
LINES = """
-v | --version | -vx | -vZ | -nvZ | -Zv | --version=x | -v --nope | --nope -v | --vers | --Version
-h | -? | --help | --usage | --help=3 | -hv | -th | -ih | -h --nonsense | -n -c x -h
-m | --modules | -mi | -im | -n -m | -m -n
-i -v | -i -Z | -tv | -ty | -Z | -I | -T | - | - -v | -v - | -: | -= | --=x -v | --- -v
-y | -g | -p | -c | -d | --fpm-config | --pid | --prefix | --php-ini | --define
-y= -v | -yy -v | -y -v -v | -y = -v | --fpm-config= OK -t | --fpm-config== -v | -t --pid= -v
-n=3 -v | --no-php-ini=3 -v | -t=1 -v | -tn=y | -c= -v | --php-ini= -v | --php-ini=/tmp -v
-R -O -F -D -e -n -v | --allow-to-run-as-root --force-stderr --nodaemonize --daemonize -v
-b x -v | -s -v | -w -v | --rfx | -fv | x -v | -c /tmp x -v | -- -v | -t -- -y OK
-t x | -t -y OK extra | -tn -y OK - | -t -y OK | -ty OK | -tyOK | -ty=OK | -t -y =OK | -y==OK -t
--test --fpm-config OK | --test=1 --fpm-config=OK | --fpm-config==OK -t | --fpm-config===OK -t
-t -y OK -y none | -t -y none -y OK | -y OK -t -t | -y OK -tt | -t -y OK -g g.pid | -typ OK /tmp
-t -y OK -p /nope | -t -y OK --prefix=/nope | -t -y OK -p/tmp | -t -y OK -d x=1 -dy --define=z=2
-t -y OK -n -e -R -D -F -O
"""


def arguments_of(line, conf):
    return [word.replace("OK", conf) for word in line.split()]


@pytest.fixture(name="both")
def both_programs(daemon):
    """Runs the same arguments with both; muster is called php-fpm8.2 as well."""
    link = f"{daemon.dir}/php-fpm8.2"
    os.symlink(os.path.realpath(binary_for(daemon.identity)), link)
    daemon.configure()
    daemon.allow_log(".*")

    def run(*arguments, path=None, env=None):
        variables = {**os.environ, **(env or {})}
        return [
            daemon.run(command=[program, *arguments], env=variables)
            for program in ((REFERENCE, link) if path is None else path)
        ]

    run.link = link
    return run


@pytest.mark.parametrize("group", LINES.strip().splitlines())
def test_same_output_and_exit_code(both, daemon, group):
    for line in group.split(" | "):
        theirs, ours = both(*arguments_of(line, daemon.conf))
        assert ours.returncode == theirs.returncode, (line, ours.stderr, theirs.stderr)
        assert ours.stdout == theirs.stdout, line


def information(text):
    """Rows of -i that do not differ from one start of the same program to the next."""
    changing = re.compile(
        r"^(_|\$_(SERVER|ENV)\['(_|REQUEST_TIME\w*)'\]|(Interned Strings )?(Free|Used) memory) =>"
        r"|^Interned Strings (Used|Free) memory =>"
    )
    return [line for line in text.splitlines() if not changing.match(line)]


@pytest.mark.parametrize("line", ["-i", "-n -i", "-i surplus", "-t -i", "-d precision=5 --info"])
def test_same_information_row_by_row(both, line):
    theirs, ours = both(*line.split())
    assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr)
    assert information(ours.stdout) == information(theirs.stdout)
    assert "php-fpm => active" in ours.stdout


def chosen(result):
    """The configuration file that was read, or could not be."""
    match = re.search(
        r"configuration file '?(\S+?)'?( test is successful|$|: )", result.stderr, re.M
    )
    return match.group(1) if match else re.sub(r"^\[.*?\] ", "", result.stderr, flags=re.M)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-d", "fpm.config=zzz"],
        ["-d", "fpm.config=/no/such/file"],
        ["-d", "fpm.config=/tmp/${HOME}"],
        ["-d", "fpm.config"],
        ["-d", "fpm.config=on"],
        ["-d", 'fpm.config="a b"'],
        ["-d", "fpm.config=a;b"],
        ["-d", "fpm.config=a", "-d", "fpm.config=b"],
        ["-d", "a=b", "-d", "fpm.config=${a}c"],
        ["-d", "fpm.config=zz\nfoo=1"],
        ["-d", "fpm.config = /x"],
        ["-d", "FPM.config=zzz"],
        ["-d", "fpm.config=zzz", "-p", "/tmp"],
        ["-d", "fpm.config=", "-p", "/tmp"],
        ["-d", "fpm.config=zzz", "-y", ""],
        ["-d", "fpm.config=zzz", "-y="],
        ["-y", "", "-p", "/tmp"],
        ["-y", "given", "-d", "fpm.config=zzz"],
        ["-p", "/tmp"],
        ["-c", "INI"],
        ["-c", "INI", "-n"],
        ["-c", "INI/php.ini"],
        ["-c", "INI", "-p", "/tmp"],
        ["-c", "INI", "-d", "fpm.config=defined"],
        ["-c", "INI/none"],
        ["-c", "INI", "SCAN"],
        ["SCAN"],
        ["SCAN", "-n"],
    ],
)
def test_same_choice_of_the_configuration_file(both, daemon, arguments):
    ini = f"{daemon.dir}/ini"
    os.makedirs(f"{ini}/conf.d")
    with open(f"{ini}/php.ini", "w", encoding="ascii") as file:
        file.write("; a comment\n[PHP]\nbase = /from\nfpm.config = ${base}/ini ; where\n")
        file.write("[HOST=example]\nfpm.config = never\n")
    for name, value in (("10-a", "first"), ("20-b", "/scanned/last")):
        with open(f"{ini}/conf.d/{name}.ini", "w", encoding="ascii") as file:
            file.write(f"fpm.config={value}\n")
    env = {"PHP_INI_SCAN_DIR": f"{ini}/conf.d"} if "SCAN" in arguments else {}
    arguments = [word.replace("INI", ini) for word in arguments if word != "SCAN"]
    theirs, ours = both("-t", *arguments, env=env)
    assert chosen(ours) == chosen(theirs)
    assert ours.returncode == theirs.returncode


def test_same_values_of_php_ini_in_the_configuration(both, daemon):
    """${NAME} knows the values of php.ini, of -d, and then the environment."""
    ini = f"{daemon.dir}/php.ini"
    with open(ini, "w", encoding="ascii") as file:
        file.write("of_ini = from ini\nboth = from ini\nprecision = 9\nunset = off\n")
    names = ["of_ini", "both", "precision", "unset", "of_env", "nobody", "x.y"]
    entries = {f"env[V{number}]": f'"<${{{name}}}>"' for number, name in enumerate(names)}
    daemon.configure({"www": entries})
    arguments = ["-tt", "-y", daemon.conf, "-c", ini, "-d", "both=/of/d", "-d", "x.y=1"]
    env = {"of_env": "from env", "of_ini": "hidden", "unset": "hidden"}
    theirs, ours = both(*arguments, env=env)
    dumps = [re.findall(r"env\[V\d\] = .*", result.stderr) for result in (theirs, ours)]
    assert len(dumps[0]) == len(names)
    assert dumps[1] == dumps[0]


def test_name_in_the_usage_text(both, daemon):
    """php-fpm shows its name when it was called by a path, and "php" when PATH found it."""
    for directory in ("/usr/sbin", os.path.dirname(both.link)):
        command = ["env", f"PATH={directory}", "php-fpm8.2", "-h"]
        assert daemon.run(command=command).stdout.startswith("Usage: php [-n]")
    relative = daemon.run(command=["./php-fpm8.2", "-h"])
    assert relative.stdout.startswith("Usage: php-fpm8.2 [-n]")


def test_wrong_option_is_named_on_stderr(both):
    _, ours = both("-Z")
    assert ours.stderr == "php-fpm8.2: unknown option '-Z'\n"
