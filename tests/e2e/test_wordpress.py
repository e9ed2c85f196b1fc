"""WordPress from Debian's package with MariaDB, used with Chromium through nginx and the daemon."""

import os
import re
import shutil

import pytest

from harness.browser import Story, needs_browser
from harness.logs import LogFile
from harness.mariadb import PROGRAM as MARIADB
from harness.mariadb import MariaDb
from harness.pictures import sunset

PACKAGE = "/usr/share/wordpress"

# What there is of the world outside must not decide about the test, nor wait for it.
NO_OUTSIDE = """<?php
add_filter('pre_http_request', function ($answer, $arguments, $url) {
    if (parse_url($url, PHP_URL_HOST) === '127.0.0.1') {
        return $answer;
    }
    return ['headers' => ['content-type' => 'text/plain'], 'body' => '', 'cookies' => [], 'filename' => null,
        'response' => ['code' => 404, 'message' => 'Not Found']];
}, 10, 3);
"""

# Two lines that Debian added to the installer.
OF_THE_PACKAGE = re.compile(r"Undefined variable \$upload_(url_)?path in \S+/install.php")

pytestmark = [
    needs_browser,
    pytest.mark.skipif(not os.path.isdir(PACKAGE), reason="wordpress is not installed"),
    pytest.mark.skipif(not os.path.exists(MARIADB), reason="mariadb-server-core is not installed"),
]


@pytest.fixture
def database(arena):
    database = MariaDb(arena, "wordpress", "another secret")
    yield database
    database.stop()


@pytest.fixture
def blog(arena):
    """A copy of the package's files that is not set up yet; its set-up may write wp-config.php."""
    root = f"{arena.dir}/blog"
    shutil.copytree(PACKAGE, root, ignore=shutil.ignore_patterns("wp-config.php", ".htaccess"))
    for name in ("uploads", "mu-plugins"):
        os.mkdir(f"{root}/wp-content/{name}")
    with open(f"{root}/wp-content/mu-plugins/no-outside.php", "w", encoding="utf-8") as file:
        file.write(NO_OUTSIDE)
    arena.give_to_workers(root)
    return root


def test_install_write_a_post_with_a_picture_and_read_it(arena, daemon, database, blog):
    php_log = LogFile(f"{arena.scratch}/php.log")
    daemon.configure(
        {
            "www": {
                "pm": "dynamic",
                "pm.max_children": "6",
                "pm.start_servers": "2",
                "pm.min_spare_servers": "1",
                "pm.max_spare_servers": "3",
                "php_admin_flag[log_errors]": "on",
                "php_admin_value[error_log]": php_log.path,
                "php_admin_value[upload_max_filesize]": "16M",
                "php_admin_value[post_max_size]": "20M",
            }
        }
    ).start()
    nginx = arena.nginx(daemon.address(), root=blog, keep=True, front="/index.php")
    picture = f"{arena.scratch}/harbour.png"
    with open(picture, "wb") as file:
        file.write(sunset(1200, 800))

    story = Story(
        arena,
        "wordpress",
        nginx.port,
        {"reload": daemon.reload},
        picture=picture,
        database={
            "name": database.name,
            "password": database.password,
            "socket": database.socket,
        },
    )
    found = story.run()

    assert found["address"].endswith("/gruse-from-the-daemon/")
    assert found["shown"][0] > 0
    assert found["comment"].endswith("Read & understood <3")
    assert [line for line in php_log.lines() if not OF_THE_PACKAGE.search(line)] == []
    assert [line for line in nginx.log.lines() if "FastCGI" in line] == []
