"""MediaWiki from Debian's package with SQLite, used with Chromium through nginx and the daemon."""

import os
import shutil

import pytest

from harness.browser import Story, needs_browser
from harness.logs import LogFile
from harness.pictures import sunset

PACKAGE = "/usr/share/mediawiki"

pytestmark = [
    needs_browser,
    pytest.mark.skipif(not os.path.isdir(PACKAGE), reason="mediawiki is not installed"),
]

OWN_FOLDERS = ("cache", "config", "data", "extensions", "images")
# MediaWiki takes the folder of its includes for the wiki's.
COPIED_FOLDERS = ("includes", "mw-config")
LINKED_FOLDERS = ("languages", "maintenance", "resources", "skins", "vendor")


@pytest.fixture
def wiki(arena):
    """A place of its own for a wiki with the package's code, not installed yet."""
    root = f"{arena.dir}/wiki"
    os.mkdir(root)
    for name in os.listdir(PACKAGE):
        if os.path.isfile(f"{PACKAGE}/{name}"):
            shutil.copy(f"{PACKAGE}/{name}", root)
    for name in OWN_FOLDERS:
        os.mkdir(f"{root}/{name}")
    for name in COPIED_FOLDERS:
        shutil.copytree(f"{PACKAGE}/{name}", f"{root}/{name}")
    for name in LINKED_FOLDERS:
        os.symlink(f"{PACKAGE}/{name}", f"{root}/{name}")
    arena.give_to_workers(root)
    return root


def test_install_upload_write_a_page_and_read_it(arena, daemon, wiki):
    php_log = LogFile(f"{arena.scratch}/php.log")
    daemon.configure(
        {
            "www": {
                "pm": "ondemand",
                "pm.max_children": "6",
                "php_admin_flag[log_errors]": "on",
                "php_admin_value[error_log]": php_log.path,
                "php_value[session.save_path]": arena.scratch,
            }
        }
    ).start()
    nginx = arena.nginx(daemon.address(), root=wiki, front="/index.php")
    picture = f"{arena.scratch}/harbour.png"
    with open(picture, "wb") as file:
        file.write(sunset(1000, 700))
    settings = f"{arena.dir}/LocalSettings.php"

    def configured():
        """What the installer offers for download belongs into the wiki's folder."""
        with open(settings, "a", encoding="utf-8") as file:
            file.write("\n$wgUseImageMagick = false; // whatever the machine has: PHP itself draws\n")
        shutil.copy(settings, f"{wiki}/LocalSettings.php")

    story = Story(
        arena,
        "mediawiki",
        nginx.port,
        {"configured": configured, "reload": daemon.reload},
        picture=picture,
        data=f"{wiki}/data",
        localSettings=settings,
    )
    found = story.run()

    assert found["text"] == "Written with Grüße & {{braces}}."
    assert found["shown"][0] > 0
    assert php_log.lines() == []
    assert [line for line in nginx.log.lines() if "FastCGI" in line] == []
