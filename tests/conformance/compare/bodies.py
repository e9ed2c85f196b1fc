"""Request bodies: forms, uploads and what is wrong with them. {name: (content type, body)}"""

BOUNDARY = "----x1y2"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def field(name, value, *headers):
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'.encode() + b"".join(
        [*(b"\r\n" + header.encode() for header in headers), b"\r\n\r\n", value, b"\r\n"]
    )


def file(name, filename, value, kind="text/plain"):
    return field(f'{name}"; filename="{filename}', value, f"Content-Type: {kind}")


END = f"--{BOUNDARY}--\r\n".encode()
FORM = "application/x-www-form-urlencoded"
BODIES = {
    "none": ("", b""),
    "form": (FORM, b"p=1&q[]=2&q[]=3&r[a][b]=4"),
    "form-charset": (FORM + "; charset=utf-8", b"p=%C3%BC&a.b=1&a b=2&=3&&x"),
    "form-upper": (FORM.upper(), b"p=1"),
    "form-odd": (FORM, b"p=%00x&q=%zz&r=a+b%2Bc&%5B=1&s[=2&t]=3&u[[v]=4&GLOBALS=5&_SERVER=6"),
    "form-many": (FORM, b"&".join(b"v%d=%d" % (i, i) for i in range(1200))),
    "form-deep": (FORM, b"d" + b"[x]" * 100 + b"=1&e" + b"[y]" * 20 + b"=2"),
    "form-large": (FORM, b"p=" + b"x" * 70000 + b"&q=1"),
    "json": ("application/json", b'{"p": [1, 2]}'),
    "text": ("text/plain; charset=x", b"p=1&q=2"),
    "no-type": ("", b"p=1&q=2"),
    "odd-type": ("a/b;;=,", b"p=1"),
    "binary": ("application/octet-stream", bytes(range(256)) * 300),
    "upload": (
        MULTIPART,
        field("p", b"1") + file("f", "a.txt", b"text") + field("q[x]", b"2") + END,
    ),
    "uploads": (
        MULTIPART,
        b"".join(file(f"f{i}", f"{i}.bin", bytes([i]) * 100, "a/b") for i in range(25)) + END,
    ),
    "upload-array": (
        MULTIPART,
        file("f[a][]", "dir/one.txt", b"1") + file("f[a][]", "C:\\two.txt", b"22") + END,
    ),
    "upload-empty": (MULTIPART, file("f", "", b"") + file("g", "empty.txt", b"") + END),
    "upload-large": (MULTIPART, file("f", "large.bin", b"L" * 200000) + field("p", b"1") + END),
    "upload-limit": (MULTIPART, field("MAX_FILE_SIZE", b"3") + file("f", "a", b"1234") + END),
    "upload-unended": (MULTIPART, field("p", b"1") + file("f", "cut.txt", b"no end")[:-2]),
    "upload-no-boundary": ("multipart/form-data", field("p", b"1") + END),
    "upload-other-boundary": ("multipart/form-data; boundary=other", field("p", b"1") + END),
    "upload-quoted": (f'multipart/form-data; boundary="{BOUNDARY}"', field("p", b"1") + END),
    "upload-garbage": (MULTIPART, b"\0\xff no parts at all"),
    "upload-latin": (MULTIPART, field("p", b"\xe9") + file("f", "\u00fc.txt", b"u") + END),
    "upload-header": (MULTIPART, field("p", b"1", "X-" + "h" * 9000 + ": 1") + END),
}
