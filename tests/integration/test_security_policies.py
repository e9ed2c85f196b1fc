"""security.exec_basedir and security.allow_php_value: what a web server cannot make a pool do."""

import json
import os

import pytest

from harness.fixtures import as_root, both_users
from harness.program import muster_only
from harness.refusal import assert_named, refused

WHERE = "<?php echo json_encode([__FILE__, getcwd(), $_SERVER['PATH_INFO'] ?? null]);"


@pytest.fixture
def tree(arena):
    """Scripts inside and outside, and links both ways."""
    for name in ("in/a.php", "in/deep/b.php", "in2/c.php", "out/d.php"):
        arena.script(name, WHERE)
    arena.script("in/helper.php", "<?php return 'ours';")
    arena.script("out/helper.php", "<?php return 'theirs';")
    os.symlink(f"{arena.site}/out/d.php", f"{arena.site}/in/leads-out.php")
    os.symlink(f"{arena.site}/in/a.php", f"{arena.site}/out/leads-in.php")
    os.symlink(f"{arena.site}/in", f"{arena.site}/current")
    return arena.site


def denied(daemon, path, **options):
    answer = daemon.get(path, **options)
    assert (answer.status, answer.body) == (403, b"Access denied.\n"), (path, answer.stdout)
    assert answer.stderr.endswith(b"' has been denied (see security.exec_basedir)"), path
    assert answer.ended
    return answer


def runs(daemon, path, **options):
    answer = daemon.get(path, **options)
    assert answer.status == 200, (path, answer.stdout, answer.stderr)
    return json.loads(answer.text)


@muster_only
@both_users
def test_only_scripts_below_the_directories_run(daemon, tree):
    more = {"security.exec_basedir": f"{tree}/in:{tree}/in2", "catch_workers_output": "yes"}
    daemon.configure({"www": more}).start()
    for _ in range(2):  # the second time, OPcache knows them
        assert runs(daemon, "/in/a.php") == [f"{tree}/in/a.php", f"{tree}/in", None]
        assert runs(daemon, "/in/deep/b.php")[0] == f"{tree}/in/deep/b.php"
        assert runs(daemon, "/in2/c.php")[0] == f"{tree}/in2/c.php"
        assert runs(daemon, "/in//a.php")[0] == f"{tree}/in/a.php"
        answer = denied(daemon, "/out/d.php")
        assert f"'{tree}/out/d.php'".encode() in answer.stderr
    daemon.log.wait_for(r"NOTICE: Access to the script '.*/out/d.php' has been denied \(see sec")
    assert daemon.get("/in/none.php").status == 404
    assert daemon.get("/out/d.php", method="HEAD").status == 403


@muster_only
@both_users
def test_links_count_where_they_lead(daemon, tree):
    daemon.configure({"www": {"security.exec_basedir": f"{tree}/in"}}).start()
    for _ in range(2):
        denied(daemon, "/in/leads-out.php")
        assert runs(daemon, "/current/a.php") == [f"{tree}/in/a.php", f"{tree}/in", None]
        # What it includes by a relative name is not taken from where the link is.
        assert runs(daemon, "/out/leads-in.php") == [f"{tree}/in/a.php", f"{tree}/in", None]


@muster_only
def test_a_turned_link_is_followed_at_once(daemon, tree):
    daemon.configure({"www": {"security.exec_basedir": f"{tree}/current"}}).start()
    runs(daemon, "/in/a.php")
    denied(daemon, "/in2/c.php")
    os.symlink(f"{tree}/in2", f"{tree}/next")
    os.rename(f"{tree}/next", f"{tree}/current")
    runs(daemon, "/in2/c.php")
    denied(daemon, "/in/a.php")
    # A script's own link, too: whatever OPcache and the engine's path cache remember.
    os.symlink(f"{tree}/in2/c.php", f"{tree}/own.php")
    runs(daemon, "/own.php")
    os.symlink(f"{tree}/out/d.php", f"{tree}/other.php")
    os.rename(f"{tree}/other.php", f"{tree}/own.php")
    answer = daemon.get("/own.php")
    # The engine may still know the link's old goal, which is inside; never the new one.
    assert answer.status == 403 or json.loads(answer.text)[0] == f"{tree}/in2/c.php"


@muster_only
def test_paths_that_are_fixed_are_judged_by_what_runs(daemon, tree):
    daemon.configure({"www": {"security.exec_basedir": f"{tree}/in"}}).start()
    assert runs(daemon, "/in/a.php/x/y", more={"PATH_INFO": "/in/a.php/x/y"})[2] == "/x/y"
    denied(daemon, "/out/d.php/in/a.php")
    denied(daemon, f"/out/d.php/{tree}/in/a.php")
    proxy = {"SCRIPT_FILENAME": f"proxy:fcgi://localhost{tree}/out/d.php"}
    denied(daemon, "/out/d.php", more=proxy)
    action = {"SCRIPT_FILENAME": f"{tree}/in/a.php", "PATH_TRANSLATED": f"{tree}/out/d.php"}
    denied(daemon, "/in/a.php", more={**action, "REDIRECT_URL": "/out/d.php"})
    assert daemon.get("/in/../out/d.php").status == 404


@muster_only
@pytest.mark.parametrize("root, allowed", [("in", "/a.php"), ("out", None)])
def test_a_doc_root_of_php_does_not_lead_out(daemon, tree, root, allowed):
    directives = {
        "security.exec_basedir": f"{tree}/in",
        "php_admin_value[doc_root]": f"{tree}/{root}",
    }
    daemon.configure({"www": directives}).start()
    if allowed:
        runs(daemon, allowed, more={"SCRIPT_FILENAME": f"{tree}/in{allowed}"})
    else:
        denied(daemon, "/d.php", more={"SCRIPT_FILENAME": f"{tree}/in/a.php"})


@muster_only
def test_included_files_and_the_status_page_are_not_looked_at(arena, daemon, tree):
    arena.script("in/includes.php", "<?php echo include __DIR__ . '/../out/helper.php';")
    directives = {"security.exec_basedir": f"{tree}/in", "pm.status_path": "/status"}
    daemon.configure({"www": directives}).start()
    assert daemon.get("/in/includes.php").text == "theirs"
    assert daemon.get("/status").status == 200


@muster_only
@as_root
def test_within_a_chroot_paths_are_those_inside(daemon, tree):
    directives = {"chroot": tree, "chdir": "/", "security.exec_basedir": "/in"}
    daemon.configure({"www": directives}).start()
    more = {"DOCUMENT_ROOT": "/", "SCRIPT_FILENAME": "/in/a.php"}
    assert runs(daemon, "/in/a.php", more=more)[0] == "/in/a.php"
    denied(daemon, "/out/d.php", more={**more, "SCRIPT_FILENAME": "/out/d.php"})


@muster_only
def test_a_relative_directory_is_an_error_and_a_missing_one_is_told(daemon, tree):
    daemon.configure({"www": {"security.exec_basedir": f"{tree}/in:htdocs"}})
    assert_named(daemon, refused(daemon), "exec_basedir", "'htdocs' must start with a '/'")
    daemon.configure({"www": {"security.exec_basedir": f"{tree}/none"}}).start()
    daemon.log.wait_for(r"WARNING: \[pool www\] the security.exec_basedir path '.*/none' does not")
    denied(daemon, "/in/a.php")


SETTINGS = "<?php echo ini_get('precision'), ' ', ini_get('memory_limit');"


@muster_only
@both_users
def test_settings_of_a_web_server_can_be_refused(arena, daemon):
    directives = {
        "security.allow_php_value": "no",
        "catch_workers_output": "yes",
        "php_admin_value[memory_limit]": "50M",
    }
    daemon.configure({"www": directives}).start()
    path = arena.script("settings.php", SETTINGS)
    more = {
        "PHP_VALUE": "precision = 3\nauto_prepend_file = /none",
        "PHP_ADMIN_VALUE": "memory_limit=77M",
    }
    answer = daemon.get(path, more=more)
    assert (answer.status, answer.text) == (200, "14 50M")
    text = "Passing INI directive through FastCGI: {} is refused: {} (see security.allow_php_value)"
    value = text.format("PHP_VALUE", "'precision', 'auto_prepend_file'")
    admin = text.format("PHP_ADMIN_VALUE", "'memory_limit'")
    assert answer.stderr.decode() == f"{value}; {admin}"
    daemon.log.wait_for(r'said into stderr: "WARNING: Passing INI .* PHP_VALUE is refused: \'prec')
    quiet = daemon.get(path, more={"PHP_VALUE": ""})
    assert (quiet.text, quiet.stderr) == ("14 50M", b"")


@muster_only
def test_refused_settings_load_no_extension_and_disable_nothing(arena, daemon):
    daemon.configure({"www": {"security.allow_php_value": "no"}}).start()
    code = "<?php echo json_encode([function_exists('md5'), count(get_loaded_extensions())]);"
    path = arena.script("functions.php", code)
    before = daemon.get(path).text
    more = {
        "PHP_ADMIN_VALUE": "disable_functions = md5\nextension = none.so\ndisable_classes = PDO"
    }
    assert daemon.get(path, more=more).text == before == daemon.get(path).text
