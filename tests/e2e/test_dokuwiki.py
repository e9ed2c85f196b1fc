"""DokuWiki from Debian's package, installed, written and read through nginx and the daemon."""

import html.parser
import http.cookiejar
import os
import re
import shutil
import urllib.parse
import urllib.request

import pytest

from harness.fixtures import both_users
from harness.pictures import png

PACKAGE = "/usr/share/dokuwiki"
DATA_FOLDERS = "attic cache index locks log media media_attic media_meta meta pages tmp".split()

pytestmark = pytest.mark.skipif(
    not os.path.isdir(PACKAGE), reason="the package dokuwiki is not installed"
)


class Form(html.parser.HTMLParser):
    """The fields of the first form whose text holds `wanted`, with their present values."""

    def __init__(self, page, wanted):
        super().__init__()
        forms = re.findall(r"<form\b.*?</form>", page, re.S)
        fitting = [form for form in forms if wanted in form]
        assert fitting, f"no form with {wanted!r} among {len(forms)} in:\n{page[:3000]}"
        self.fields, self.action = {}, ""
        self._area = None
        self.feed(fitting[0])

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action = attrs.get("action") or ""
        elif tag == "input" and attrs.get("name") and attrs.get("type") != "submit":
            box = attrs.get("type") in ("checkbox", "radio")
            if not box or "checked" in attrs:
                self.fields[attrs["name"]] = attrs.get("value") or ("on" if box else "")
        elif tag == "textarea" and attrs.get("name"):
            self._area = attrs["name"]
            self.fields[self._area] = ""

    def handle_endtag(self, tag):
        if tag == "textarea":
            self._area = None

    def handle_data(self, data):
        if self._area:
            self.fields[self._area] += data


class Browser:
    def __init__(self, port):
        self._base = f"http://127.0.0.1:{port}"
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def _open(self, request):
        with self._opener.open(request, timeout=60) as answer:
            assert answer.status == 200
            return answer.read()

    def get(self, path):
        return self._open(self._base + path)

    def page(self, path):
        return self.get(path).decode()

    def post(self, path, fields):
        data = urllib.parse.urlencode(fields).encode()
        return self._open(urllib.request.Request(self._base + path, data)).decode()

    def upload(self, path, fields, name, filename, content):
        boundary = "----frontier-of-the-test"
        parts = b""
        for key, value in fields.items():
            parts += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            ).encode()
        parts += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
            f'filename="{filename}"\r\nContent-Type: image/png\r\n\r\n'
        ).encode()
        parts += content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._open(urllib.request.Request(self._base + path, parts, headers)).decode()


def left_out(folder, names):
    """Other languages are most of the package's files."""
    languages = {name for name in names if name != "en"} if folder.endswith("/lang") else set()
    return languages | {".htaccess", "testing"} & set(names)


@pytest.fixture
def wiki(arena):
    """A fresh copy of the package, with configuration and data of its own, not installed yet."""
    root = f"{arena.dir}/wiki"
    shutil.copytree(PACKAGE, root, ignore=left_out)
    os.mkdir(f"{root}/conf")
    for name in os.listdir("/etc/dokuwiki"):
        # What the installer is to write must not be there.
        if name.startswith(("local.php", "plugins.local", "acl.auth", "users.auth", ".")):
            continue
        if os.path.isfile(f"/etc/dokuwiki/{name}"):
            shutil.copy(f"/etc/dokuwiki/{name}", f"{root}/conf/{name}")
    for folder in DATA_FOLDERS:
        os.makedirs(f"{root}/data/{folder}")
    for name, old, new in (
        ("inc/preload.php", "/etc/dokuwiki", f"{root}/conf"),
        ("conf/dokuwiki.php", "/var/lib/dokuwiki/data", "./data"),
    ):
        with open(f"{root}/{name}", encoding="utf-8") as file:
            text = file.read()
        assert old in text
        with open(f"{root}/{name}", "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))
    arena.give_to_workers(root)
    return root


@both_users
def test_install_log_in_edit_save_upload_read_back(arena, daemon, wiki):
    daemon.configure(
        {
            "www": {
                "pm": "dynamic",
                "pm.max_children": "4",
                "pm.start_servers": "2",
                "pm.min_spare_servers": "1",
                "pm.max_spare_servers": "3",
                "php_value[session.save_path]": arena.scratch,
            }
        }
    ).start()
    nginx = arena.nginx(daemon.address(), root=wiki, keep=True, retry=True)
    browser = Browser(nginx.port)

    # Install.
    form = Form(browser.page("/install.php"), "d[superuser]")
    fields = {
        **form.fields,
        "d[title]": "The wiki of the test",
        "d[superuser]": "ann",
        "d[fullname]": "Ann Example",
        "d[email]": "ann@example.org",
        "d[password]": "a long secret",
        "d[confirm]": "a long secret",
        "d[policy]": "1",
        "submit": "",
    }
    fields.pop("d[pop]", None)
    done = browser.post("/install.php", fields)
    assert "configuration was finished successfully" in done, done[-3000:]
    assert "The wiki of the test" in browser.page("/doku.php")

    # Log in.
    form = Form(browser.page("/doku.php?id=start&do=login"), 'name="u"')
    inside = browser.post(
        "/doku.php?id=start&do=login", {**form.fields, "u": "ann", "p": "a long secret"}
    )
    assert "Ann Example" in inside

    # Edit and save.
    form = Form(browser.page("/doku.php?id=start&do=edit"), "wikitext")
    text = "====== Grüße ======\n\nWritten **through** the daemon: <nowiki>ä ö ü</nowiki>.\n"
    fields = {**form.fields, "wikitext": text, "summary": "by the test", "do[save]": "1"}
    saved = browser.post("/doku.php?id=start", fields)
    assert "Written <strong>through</strong> the daemon: ä ö ü." in saved

    # Upload.
    image = png(120, 120)
    form = Form(browser.page("/lib/exe/mediamanager.php?ns="), 'type="file"')
    fields = {**form.fields, "mediaid": "picture.png"}
    answer = browser.upload("/lib/exe/mediamanager.php", fields, "upload", "picture.png", image)
    assert "picture.png" in answer and 'class="error"' not in answer

    # Read both back, as a stranger and after a reload of everything.
    daemon.reload()
    stranger = Browser(nginx.port)
    page = stranger.page("/doku.php?id=start")
    assert "Grüße" in page and "Written <strong>through</strong> the daemon" in page
    assert stranger.get("/lib/exe/fetch.php?media=picture.png") == image
    assert len(stranger.get("/lib/exe/css.php?t=dokuwiki")) > 10_000
    history = stranger.page("/doku.php?id=start&do=revisions")
    assert "by the test" in history
    assert not [line for line in nginx.log.lines() if "PHP Fatal" in line]
