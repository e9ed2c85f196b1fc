"""What workers write: into the error log line by line, or to the web server as STDERR."""

import os
import re
import signal

from harness import processes
from harness.fixtures import both_users
from harness.program import is_reference, muster_only
from harness.waiting import PATIENCE, wait_until

SAID = r"WARNING: \[pool www\] child \d+ said into"


def catching(daemon, decorate=True, **more):
    directives = {"catch_workers_output": "yes", **more}
    if not decorate:
        directives["decorate_workers_output"] = "no"
    return daemon.configure({"www": directives}).start()


def write(stream, text):
    return f"<?php file_put_contents('php://{stream}', {text});"


@both_users
def test_decorated_lines(arena, daemon):
    catching(daemon)
    daemon.get(arena.script("o.php", write("stdout", r'"to \"stdout\"\nsecond\n"')))
    daemon.get(arena.script("e.php", write("stderr", r'"to stderr\n"')))
    (worker,) = daemon.workers()
    who = rf"WARNING: \[pool www\] child {worker} said into"
    daemon.log.wait_for(rf'{who} stdout: "to "stdout""$')
    daemon.log.wait_for(rf'{who} stdout: "second"$')
    daemon.log.wait_for(rf'{who} stderr: "to stderr"$')


def test_bare_lines(arena, daemon):
    catching(daemon, decorate=False)
    daemon.get(arena.script("o.php", write("stdout", r'"plain line\n"')))
    daemon.log.wait_for(r"^plain line$")
    assert not daemon.log.find("said into")


def test_unfinished_line_appears_at_the_end_of_the_request(arena, daemon):
    catching(daemon)
    daemon.get(arena.script("o.php", write("stderr", '"no newline"')))
    daemon.log.wait_for(SAID + r' stderr: "no newline"$')
    daemon.get(arena.script("p.php", write("stderr", r'"next\n"')))
    daemon.log.wait_for(SAID + r' stderr: "next"$')
    assert "fscf" not in daemon.log.text()


def test_empty_lines_produce_nothing(arena, daemon):
    catching(daemon)
    daemon.get(arena.script("o.php", write("stdout", r'"\n\none\n\n\n"')))
    daemon.log.wait_for(SAID + ' stdout: "one"')
    assert len(daemon.log.find("said into")) == 1


def test_long_lines_are_wrapped(arena, daemon):
    catching(daemon)
    daemon.get(arena.script("o.php", write("stdout", r'str_repeat("t", 3000) . "\n"')))
    lines = daemon.log.wait_for(SAID, 4)
    assert all(len(line) <= 1023 for line in lines)
    assert [len(line) for line in lines[:3]] == [1023, 1023, 1023]
    assert sum(len(re.search(r'"(t+)"?$', line).group(1)) for line in lines) == 3000


def test_long_bare_lines_are_wrapped(arena, daemon):
    catching(daemon, decorate=False)
    daemon.get(arena.script("o.php", write("stdout", r'str_repeat("t", 3000) . "\n"')))
    lines = daemon.log.wait_for(r"^t+$", 3)
    assert [len(line) for line in lines] == [1023, 1023, 954]


def test_php_errors_are_caught_too(arena, daemon):
    catching(daemon)
    daemon.get(arena.script("o.php", "<?php error_log('remember this');"))
    daemon.log.wait_for(SAID + ' stderr: "NOTICE: PHP message: remember this"$')


def test_php_errors_of_several_lines_stay_so(arena, daemon):
    catching(daemon)
    daemon.get(arena.script("o.php", r"""<?php error_log("first\nsecond");"""))
    daemon.log.wait_for(SAID + ' stderr: "NOTICE: PHP message: first"$')
    daemon.log.wait_for(SAID + ' stderr: "second"$')


@muster_only
def test_a_line_of_megabytes_is_whole_when_the_limit_allows(arena, daemon):
    daemon.configure({"www": {"catch_workers_output": "yes"}}, {"log_limit": "4000000"}).start()
    daemon.get(arena.script("o.php", write("stderr", r'str_repeat("t", 3000000) . "\n"')))
    daemon.log.wait_for(SAID + ' stderr: "t{3000000}"$')
    daemon.get(arena.script("e.php", "<?php error_log(str_repeat('m', 2000000));"))
    daemon.log.wait_for(SAID + ' stderr: "NOTICE: PHP message: m{2000000}"$', timeout=10)
    daemon.assert_serves()


def test_first_and_last_words_say_that_the_pipe_is_closed(arena, daemon):
    daemon.allow_log("exited on signal 9")
    catching(daemon)
    # Stopped, so that the words and the end are read together.
    reader = daemon.master if is_reference() else daemon.managers()["www"]
    code = "<?php file_put_contents('php://stderr', 'all at once'); posix_kill(getmypid(), 9);"
    (worker,) = daemon.wait_workers(1)
    os.kill(reader, signal.SIGSTOP)
    try:
        daemon.get(arena.script("die.php", code))
        wait_until(lambda: processes.state(worker) == "Z", "all that the worker had open is closed")
    finally:
        os.kill(reader, signal.SIGCONT)
    daemon.log.wait_for(SAID + ' stderr: "all at once", pipe is closed$')
    daemon.log.wait_for(r"child \d+ started")


def test_nothing_is_caught_by_default(arena, daemon):
    daemon.configure().start()
    daemon.get(arena.script("e.php", write("stderr", r'"into the void\n"')))
    daemon.assert_serves()
    assert "void" not in daemon.log.text() + daemon.stderr.text()
    (worker,) = daemon.workers()
    assert processes.descriptors(worker).get(2, "/dev/null") == "/dev/null"


@muster_only
def test_a_worker_cannot_forge_a_line_of_the_log(arena, daemon):
    catching(daemon, decorate=False)
    text = r'"\x1b[2Jcontrol\rreturn\x00nul\n[20-Nov-2026 23:02:29] NOTICE: forged?\n"'
    daemon.get(arena.script("o.php", write("stdout", text)))
    catching(other := arena.daemon("deco"))
    other.get(arena.script("o.php", write("stdout", text)))
    other.log.wait_for("forged")
    assert not [line for line in other.log.lines() if line.startswith("[20-Nov-2026 23:02:29]")]
    daemon.log.wait_for("forged")
    assert "\x1b" not in other.log.text() and "\0" not in other.log.text()


@muster_only
def test_flood_is_bounded_and_told(arena, daemon):
    catching(daemon)
    code = """<?php
        $f = fopen('php://stderr', 'w');
        $line = str_repeat('f', 199) . "\\n";
        for ($i = 0; $i < 100000; $i++) fwrite($f, $line);
        echo 'flooded';"""
    answer = daemon.get(arena.script("flood.php", code))
    assert answer.text == "flooded"
    size = len(daemon.log.text())
    assert size < 12_000_000, f"20 MB of noise became {size} bytes of log"
    daemon.log.wait_for(r"WARNING: \[pool www\] child \d+ .*dropped")
    daemon.assert_serves()
    after = arena.script("after.php", write("stderr", r'"after the flood\n"'))

    def seen_again():
        daemon.get(after)
        return daemon.log.find("after the flood")

    wait_until(seen_again, "later lines are seen again", 10)


def test_endless_line_does_not_grow_the_manager(arena, daemon):
    catching(daemon)
    code = """<?php
        $f = fopen('php://stdout', 'w');
        for ($i = 0; $i < 2000; $i++) fwrite($f, str_repeat('x', 10000));
        echo 'ended';"""
    reader = daemon.master if is_reference() else daemon.managers()["www"]
    before = int(processes.status_field(reader, "VmRSS").split()[0])
    assert daemon.get(arena.script("endless.php", code)).text == "ended"
    daemon.assert_serves()
    if PATIENCE == 1:  # a sanitizer's build keeps freed memory on purpose
        assert int(processes.status_field(reader, "VmRSS").split()[0]) - before < 6000


@both_users
def test_error_log_of_php_reaches_the_web_server(arena, daemon):
    daemon.start()
    code = "<?php echo 'a'; error_log('one'); echo 'b'; error_log('two'); echo 'c';"
    answer = daemon.get(arena.script("e.php", code))
    assert answer.text == "abc"
    assert answer.stderr == b"PHP message: one; PHP message: two"


def test_warning_of_php_reaches_nginx_log(arena, daemon):
    daemon.start()
    nginx = arena.nginx(daemon.address())
    path = arena.script("w.php", "<?php echo $undefined; echo 'still here';")
    status, body, _ = nginx.get(path)
    assert (status, body) == (200, b"still here")
    nginx.log.wait_for(
        r'FastCGI sent in stderr: "PHP message: PHP Warning:  Undefined variable \$undefined in '
        + re.escape(arena.site)
        + r'/w\.php on line 1"'
    )


def test_php_error_log_setting_goes_to_its_file(arena, daemon):
    target = f"{arena.scratch}/php.log"
    daemon.configure({"www": {"php_admin_value[error_log]": target}}).start()
    answer = daemon.get(arena.script("e.php", "<?php error_log('into the file');"))
    assert answer.stderr == b""
    with open(target, encoding="utf-8") as file:
        assert re.fullmatch(r"\[[^]]+\] into the file\n", file.read())


def test_last_words_of_a_dying_worker_are_kept(arena, daemon):
    daemon.allow_log("exited on signal 9")
    catching(daemon)
    code = "<?php file_put_contents('php://stderr', 'last words'); posix_kill(getmypid(), 9);"
    daemon.get(arena.script("die.php", code))
    daemon.log.wait_for(SAID + ' stderr: "last words"')
    daemon.log.wait_for(r"child \d+ started")
    daemon.assert_serves()
