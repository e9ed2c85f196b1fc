"""The daemon starts, serves, and stops: as root and as an ordinary user."""

from harness.fixtures import both_users


@both_users
def test_serves_a_page_and_stops(arena, daemon):
    path = arena.script("hello.php", "<?php echo 'hello ', $_GET['who'];")
    daemon.start()
    answer = daemon.get(path, query="who=world")
    assert answer.text == "hello world"
    assert answer.status == 200
    assert answer.ended and answer.app_status == 0 and answer.protocol_status == 0
