"""Request bodies: forms, uploads, php://input, lengths that are wrong: what scripts see of the same bytes."""

import difflib
import itertools

import pytest

from compare import served
from compare.fixtures import fail
from harness import fastcgi as f
from harness.program import Identity

SMALL = {"php_admin_value[post_max_size]": "1K", "php_admin_value[upload_max_filesize]": "100"}
POOLS = {
    "www": {},
    "small": SMALL,
    "unread": {"php_admin_flag[enable_post_data_reading]": "off"},
    "no-uploads": {"php_admin_flag[file_uploads]": "off"},
    "few": {
        "php_admin_value[max_file_uploads]": "2",
        "php_admin_value[max_input_vars]": "3",
        "php_admin_value[max_input_nesting_level]": "2",
    },
    "quiet": {
        "php_admin_flag[display_errors]": "off",
        "php_admin_flag[display_startup_errors]": "off",
        "php_admin_value[post_max_size]": "1K",
        "catch_workers_output": "yes",
    },
}

LOOK = r"""<?php
$files = $_FILES;
array_walk_recursive($files, function (&$value, $key) {
    if (is_string($value) && is_file($value)) {
        $value = 'FILE ' . filesize($value) . ' ' . md5_file($value) . ' ' . var_export(is_uploaded_file($value), true)
            . ' ' . preg_replace('/php[A-Za-z0-9]{6}/', 'phpXXXXXX', basename($value)) . ' ' . decoct(fileperms($value));
    }
});
var_dump($_POST, $files, strlen($x = file_get_contents('php://input')), md5($x), strlen(file_get_contents('php://input')));
var_dump($_SERVER['CONTENT_LENGTH'] ?? null, $_SERVER['CONTENT_TYPE'] ?? null, error_get_last());
"""
PARTLY = r"""<?php
$in = fopen('php://input', 'r');
var_dump(fread($in, 3), feof($in), ftell($in), fseek($in, 0), fread($in, 5), stream_get_contents($in), feof($in));
var_dump(rewind($in), md5(stream_get_contents($in)), fseek($in, -2, SEEK_END), fgetc($in), fstat($in)['size'] ?? 'none');
var_dump(file_get_contents('php://input', false, null, 2, 4), count($_POST));
"""
NEVER = "<?php echo 'unread';"
SCRIPTS = {"look": LOOK, "partly": PARTLY, "never": NEVER}


@pytest.fixture(scope="module")
def both(programs):
    identity = Identity.own()
    with served.serving(programs, identity, POOLS) as daemons:
        yield daemons


def shown(daemon, answer):
    out = answer.stdout.decode("latin-1").replace(daemon.arena.dir, "{arena}")
    error = answer.stderr.decode("latin-1").replace(daemon.arena.dir, "{arena}")
    return out.split("\n") + ["STDERR"] + error.split("\n") + [f"ended {answer.ended}"]


def ask(daemon, script, body, pool, method="POST", kind=None, length=None, keep=False, pieces=65000):
    path = daemon.arena.script(f"{script}.php", SCRIPTS[script])
    params = daemon.params(path, method, "", body, {"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body)) if length is None else length})
    stdin = b"".join(f.record(f.STDIN, body[at : at + pieces]) for at in range(0, len(body), pieces))
    with daemon.connect(pool) as connection:
        connection.send(f.begin(flags=f.KEEP_CONN if keep else 0) + f.params_stream(params) + stdin + f.record(f.STDIN))
        answer = connection.read_response()
        lines = shown(daemon, answer)
        if keep:
            lines += shown(daemon, connection.ask(daemon.params(path)))
    return lines


def check(both, *arguments, **request):
    theirs, ours = (ask(daemon, *arguments, **request) for daemon in both)
    if theirs != ours:
        fail("\n".join(difflib.unified_diff(theirs, ours, "php-fpm", "muster", "", "", 6, "")))


def parts(*each, boundary=b"XyZ", end=b"--", newline=b"\r\n"):
    """A multipart body of (headers, content)."""
    body = b""
    for headers, content in each:
        body += b"--" + boundary + newline + newline.join(headers) + newline + newline + content + newline
    return body + b"--" + boundary + end + newline


def field(name, value):
    return [b'Content-Disposition: form-data; name="%s"' % name], value


def upload(name, filename, content, kind=b"text/plain"):
    head = [b'Content-Disposition: form-data; name="%s"; filename="%s"' % (name, filename)]
    return head + ([b"Content-Type: " + kind] if kind else []), content


MULTIPART = "multipart/form-data; boundary=XyZ"
FORM = "application/x-www-form-urlencoded"

FORMS = {
    "plain": b"a=1&b=2", "arrays": b"a[]=1&a[]=2&a[x][y]=3", "odd-names": b"a.b=1&c d=2&e[=3&f]=4&[g]=5&=6&&h",
    "encoded": b"%61=%C3%A4+%2B%00x&b=%zz&c=%", "nul": b"a\0b=1&c=x\0y", "semicolons": b"a=1;b=2",
    "many": b"&".join(b"v%d=%d" % (i, i) for i in range(1500)), "deep": b"a" + b"[x]" * 100 + b"=1",
    "long": b"a=" + b"x" * 100_000, "long-name": b"n" * 70_000 + b"=1", "empty": b"", "ends-open": b"a=1&",
}  # fmt: skip
UPLOADS = {
    "file": parts(upload(b"f", b"a.txt", b"content")),
    "file-and-field": parts(field(b"a", b"1"), upload(b"f", b"a.txt", b"content"), field(b"b", b"2")),
    "arrays": parts(upload(b"f[]", b"a", b"1"), upload(b"f[]", b"b", b"22"), upload(b"f[k][l]", b"c", b"333")),
    "none-chosen": parts(upload(b"f", b"", b"", b"application/octet-stream")),
    "empty-file": parts(upload(b"f", b"empty", b"")),
    "no-type": parts(upload(b"f", b"a", b"1", b"")),
    "paths": parts(upload(b"f", b"../../etc/passwd", b"1"), upload(b"g", b"C:\\dir\\x.txt", b"2"), upload(b"h", b"a/b\\c", b"3")),
    "quotes": parts(upload(b"f", b'a\\"b.txt', b"1"), upload(b"g", b"a'b", b"2"), upload(b"h", b"a;b=c", b"3")),
    "utf8": parts(upload("ü".encode(), "grüße.txt".encode(), b"1"), upload(b"g", b"\xff\xfe", b"2")),
    "star": parts(([b"Content-Disposition: form-data; name=f; filename*=UTF-8''na%C3%AFve.txt"], b"1")),
    "unquoted": parts(([b"Content-Disposition: form-data; name=f; filename=a.txt"], b"1")),
    "single-quoted": parts(([b"Content-Disposition: form-data; name='f'; filename='a b.txt'"], b"1")),
    "nul-name": parts(upload(b"f", b"a.php\0.jpg", b"1"), field(b"x\0y", b"1")),
    "header-case": parts(([b"CONTENT-DISPOSITION: FORM-DATA; NAME=f; FILENAME=a", b"content-TYPE: x/Y"], b"1")),
    "no-name": parts(([b'Content-Disposition: form-data; filename="a"'], b"1"), ([b"X: y"], b"2")),
    "no-disposition": parts(([b"Content-Type: text/plain"], b"1"), field(b"a", b"1")),
    "folded": parts(([b"Content-Disposition: form-data;", b' name="f"; filename="a"'], b"1")),
    "other-headers": parts(([b"X-A: 1", b"Content-Transfer-Encoding: base64", *upload(b"f", b"a", b"")[0]], b"AAAA")),
    "max-file-size": parts(field(b"MAX_FILE_SIZE", b"3"), upload(b"f", b"a", b"12345"), upload(b"g", b"b", b"12")),
    "max-file-size-odd": parts(field(b"MAX_FILE_SIZE", b"-1"), upload(b"f", b"a", b"12345")),
    "over-limit": parts(upload(b"f", b"a", b"x" * 200), upload(b"g", b"b", b"x" * 50)),
    "over-post": parts(upload(b"f", b"a", b"x" * 2000)),
    "three": parts(*(upload(b"f%d" % i, b"n%d" % i, b"c%d" % i) for i in range(3))),
    "thirty": parts(*(upload(b"f%d" % i, b"n%d" % i, b"c%d" % i) for i in range(30))),
    "many-fields": parts(*(field(b"v%d" % i, b"%d" % i) for i in range(1100))),
    "same-name": parts(upload(b"f", b"a", b"1"), upload(b"f", b"b", b"2"), field(b"f", b"3")),
    "nested-names": parts(field(b"a[b][c][d]", b"1"), upload(b"x[y][z]", b"a", b"1"), upload(b"p[", b"a", b"1"), upload(b"q]", b"a", b"2")),
    "boundary-inside": parts(upload(b"f", b"a", b"--XyZa\r\n--Xy\r\n\r\n-- XyZ")),
    "boundary-bare": parts(upload(b"f", b"a", b"text--XyZ--text\n--XyZ")),
    "newlines": parts(upload(b"f", b"a", b"1"), field(b"a", b"x\ny"), newline=b"\n"),
    "no-end": parts(upload(b"f", b"a", b"content"), end=b""),
    "cut-content": parts(upload(b"f", b"a", b"content" * 50))[:150],
    "cut-header": parts(upload(b"f", b"a", b"content"))[:40],
    "cut-boundary": parts(upload(b"f", b"a", b"content"))[:-5],
    "preamble": b"preamble\r\n" + parts(upload(b"f", b"a", b"1")) + b"epilogue",
    "empty": b"",
    "only-end": b"--XyZ--\r\n",
    "garbage": bytes(range(256)) * 20,
    "long-header": parts(([b"X-Long: " + b"y" * 20_000, *upload(b"f", b"a", b"")[0]], b"1")),
    "long-name": parts(upload(b"f" * 9000, b"n" * 9000, b"1"), field(b"k" * 300, b"v")),
    "big": parts(upload(b"f", b"big.bin", bytes(range(256)) * 4000), field(b"a", b"z" * 50_000)),
    "binary": parts(upload(b"f", b"a", bytes(range(256)) + b"\r\n\r\n--Xy" * 40)),
    "array-file": parts(upload(b"a[0", b"x", b"1"), upload(b"a]0[", b"x", b"1"), upload(b"[b]", b"x", b"1"), upload(b"c[][]", b"x", b"1")),
}  # fmt: skip


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", FORMS)
def test_forms(both, name, pool):
    check(both, "look", FORMS[name], pool, kind=FORM)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("name", UPLOADS)
def test_uploads(both, name, pool):
    check(both, "look", UPLOADS[name], pool, kind=MULTIPART)


@pytest.mark.parametrize("name", UPLOADS)
def test_uploads_byte_by_byte(both, name):
    if len(UPLOADS[name]) < 3000:
        check(both, "look", UPLOADS[name], "www", kind=MULTIPART, pieces=1)


BOUNDARIES = [
    "multipart/form-data", "multipart/form-data;", "multipart/form-data; boundary", "multipart/form-data; boundary=",
    'multipart/form-data; boundary="XyZ"', "multipart/form-data;boundary=XyZ;charset=utf-8", 'multipart/form-data; boundary="XyZ', "multipart/form-data; boundary=XyZ, x",
    "MULTIPART/FORM-DATA; BOUNDARY=XyZ", "multipart/form-data; x=y; boundary=XyZ", "multipart/form-data boundary=XyZ", "multipart/mixed; boundary=XyZ",
    "multipart/form-data; boundary=" + "b" * 6000, "", "text/plain", "application/json", FORM + "; charset=UTF-8", FORM + ";x", FORM.upper(), "x" * 300, None,
]  # fmt: skip


@pytest.mark.parametrize("kind", BOUNDARIES)
@pytest.mark.parametrize("pool", ["www", "unread", "quiet"])
def test_content_types(both, kind, pool):
    for body in (UPLOADS["file-and-field"], FORMS["plain"]):
        check(both, "look", body, pool, kind=kind)


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "PATCH", "DELETE", "HEAD", "post", "OPTIONS", ""])
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("pool", ["www", "unread", "small"])
def test_methods(both, method, script, pool):
    for kind, body in ((FORM, b"a=1&b=2"), (MULTIPART, UPLOADS["file"]), ("x/y", b"z" * 2000)):
        check(both, script, body, pool, method=method, kind=kind)
        check(both, script, body, pool, method=method, kind=kind, keep=True)


# What `body-length` is about is left out: php-fpm would wait for bytes that never come.
@pytest.mark.parametrize("length", ["0", "3", "7", "007", " 7", "7 ", "7x", "+7", "0x7"])
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("pool", ["www", "unread"])
def test_lengths(both, length, script, pool):
    for kind, method in itertools.product((FORM, "x/y"), ("POST", "PUT")):
        check(both, script, b"a=1&b=2", pool, method=method, kind=kind, length=length)


@pytest.mark.parametrize("length", ["0", "20", "100"])
def test_lengths_of_uploads(both, length):
    check(both, "look", UPLOADS["file-and-field"], "www", kind=MULTIPART, length=length)


@pytest.mark.parametrize("size", [1, 8183, 8184, 8192, 16383, 16384, 16385, 65536, 2_000_000])
@pytest.mark.parametrize("pool", ["www", "unread"])
def test_sizes(both, size, pool):
    for kind in (FORM, "application/octet-stream"):
        check(both, "look", b"a=" + b"b" * size, pool, kind=kind)
        check(both, "partly", b"a=" + b"b" * size, pool, method="PUT", kind=kind)
