"""Seeds and words for the fuzzers that read FastCGI, paths, status pages, logs and messages."""

import struct

from harness import fastcgi as f

CGI_NAMES = """SCRIPT_FILENAME PATH_TRANSLATED PATH_INFO SCRIPT_NAME REDIRECT_URL DOCUMENT_ROOT
    SERVER_SOFTWARE REQUEST_METHOD QUERY_STRING CONTENT_LENGTH CONTENT_TYPE FCGI_ROLE HTTP_PROXY
    PHP_VALUE PHP_ADMIN_VALUE FCGI_MPXS_CONNS FCGI_MAX_CONNS FCGI_MAX_REQS""".split()

FORGED = f.request_bytes({"SCRIPT_NAME": "/forged.php", "HTTP_X": "y" * 130}, b"", 2)
HEAD = f.begin(1, flags=1) + f.params_stream({"SCRIPT_NAME": "/a.php", "A": ""})
STREAMS = [
    f.request_bytes({"SCRIPT_NAME": "/status"}, b"", 1, True) * 2,
    f.request_bytes({"A": "b"}, FORGED, 1, True, padding=7) + f.request_bytes({"N": "2"}),
    HEAD + f.record(f.STDIN, b"half") + FORGED + f.stdin_stream(b"rest"),
    HEAD + f.record(f.STDIN, b"half") + f.record(f.ABORT) + FORGED,
    HEAD + f.begin(1) + f.stdin_stream(b""),
    f.values_request(["FCGI_MPXS_CONNS", "FCGI_MAX_REQS"]) + HEAD + f.stdin_stream(b""),
    f.begin(7, role=3, flags=1)
    + f.params_stream({"A": "b"}, 7, 9)
    + f.record(f.DATA, b"data", 7)
    + f.stdin_stream(b"x", 7)
    + f.record(f.DATA, b"late", 7)
    + FORGED,
    f.begin(0) + f.record(f.STDIN, b"", 0, 200) + f.record(f.STDIN, b"", 5) + FORGED,
    f.begin(65535)
    + f.record(f.PARAMS, b"\x01", 65535)
    + f.record(f.PARAMS, b"\x00A", 65535)
    + f.record(f.PARAMS, b"", 65535)
    + f.stdin_stream(b"", 65535),
]
PAIRS = [
    f.pairs({"A": "b", "": "x", "LONG" * 40: "v" * 200}),
    f.pair("A", "1") + f.pair("B", "") + f.pair("A", b"2\0hidden"),
    b"\x01\xff\xff\xff\xffA",
    b"\x80\x00\x00\x01\x80\x00\x00\x01Ab",
]


def number(value):
    return struct.pack(">Q", value)


def records():
    for cuts in (0x00, 0x21, 0x43, 0xFF):
        yield from (bytes([cuts]) + stream for stream in STREAMS)


def params():
    for pairs in PAIRS:
        yield b"\xff\xff" + struct.pack(">H", len(pairs)) + pairs + b"\x01C\nd\n\x00A\n\x01A\n3\n"


def paths():
    # Numbers of the names: paths.cpp. The vectors of the specification's table.
    names = ["SF", "PT", "PI", "SN", "RU", "DR", "SERVER_SOFTWARE"]
    vectors = [
        {"SF": "/d/pi.php", "SN": "/pi.php", "PI": "/foo", "DR": "/d"},
        {"SF": "/d/pi.php/foo/bar", "SN": "/pi.php/foo/bar", "PI": "/pi.php/foo/bar", "DR": "/d"},
        {"SF": "/d/pi.php/foo", "SN": "/pi.php", "PI": "/foo"},
        {
            "SF": "/usr/bin/php-cgi",
            "SN": "/cgi/php",
            "PI": "/pi.php/test",
            "PT": "/d/pi.php/test",
            "RU": "/pi.php/test",
            "DR": "/d/",
        },
        {"SF": "/d/t.php", "SN": "/t.php", "PT": "/d/pi.php", "RU": "/x"},
        {"PI": "/x", "PT": "/d/pi.php/x", "DR": "/d"},
        {"SF": "proxy:fcgi://h:9000/d/pi.php/1%202?q", "SN": "/pi.php/1 2", "DR": "/d"},
        {"SF": "PROXY:BALANCER://b/d/pi.php/foo", "SN": "/pi.php/foo"},
        {"SF": "/d/dir/../pi.php"},
        {"SF": "\\d\\pi.php", "SN": "\\d"},
        {
            "SERVER_SOFTWARE": "Microsoft-IIS/10",
            "SF": "/d/pi.php",
            "SN": "/pi.php",
            "PI": "/pi.php/foo",
        },
    ]
    for vector in vectors:
        lines = b"".join(bytes([names.index(k)]) + v.encode() + b"\n" for k, v in vector.items())
        yield from (bytes([rules, 0]) + lines for rules in (0, 1, 3, 4))


def status():
    pool = b"www\n" + b"\x02" + number(10**18) + b"".join(number(n) for n in range(8)) + b"\x01"
    texts = b"GET\n/a.php\nq=<&>\"'\\\nuser\n/d/a.php\n"
    hostile = b"G\x1b\n/\xff\xed\xa0\x80\xf0\x9f\x98\x80\n\x7f\\u\n{}\n" + b"x" * 300 + b"\n"
    numbers = b"".join(number(n) for n in (5, 5, 1, 1, 10**6, 10**5, 4096, 12))
    for query in (b"full&json", b"xml", b"openmetrics&full", b"%68tml", b"full"):
        yield query + b"\n" + pool + bytes([4, 99, 0]) + numbers + texts
        yield query + b"\n" + pool + bytes([1, 99, 255]) + numbers + hostile


def connection():
    for dice in (b"\x00\x01\x02\x03", b"\x05\x02\x03\x01"):
        yield from (dice + stream for stream in STREAMS)


def messages():
    facts = struct.pack("<QQHBBBB2x", 10**9, 10**18, 7, 0, 1, 1, 0)
    for cut in (1, 9, 16, 30):
        yield b"\x02" + facts + HEAD[:cut]
    yield b"\x01" + facts[:20] + b"\0\0" + facts[22:]
    for kind in (1, 3, 6, 101, 103, 107):
        yield b"\x04" + struct.pack("<IIQ", kind, 1 + kind % 3, 10**6) + b"\x01" * 48 + b"text"


def worker_output():
    for flags in range(0, 256, 5):
        yield bytes(
            [flags, flags % 7]
        ) + b"line\n\nhalf\xfe" + b"long" * 60 + b"\0fscf\0\xff\x1b[3\xff"


def access_format():
    numbers = (
        number(17) + b"\x33" + b"".join(number(n) for n in (10**9, 10**18, 10**18, 5, 6, 7))
    )
    texts = b"\x09GET\n/a.php\nq=1\n/d/a.php\nuser\n127.0.0.1\n"
    for text in (
        b'%R - %u %t "%m %r%Q%q" %s %f %{mili}d %{kilo}M %C%%',
        b"%{user}C %{system}C %{seconds}d %{bytes}M %{megabytes}M %{micro}d %l %n %p %P %T",
        b"%{SERVER_NAME}e %{Content-type}o %{%d/%b/%Y}t %{%H}T",
    ):
        yield text + b"\n" + numbers + texts


STACK_BASE = 0x1000
CODE, TOP = 1 << 16, 1 << 17


def stack():
    """Images of a stack as stack.cpp lays it out: usleep() in f() in the script itself."""
    memory = bytearray(16)

    def add(data):
        memory.extend(data + bytes(-len(data) % 8))
        return STACK_BASE + len(memory) - len(data) - (-len(data) % 8)

    def text(words):
        return add(bytes(16) + struct.pack("<Q", len(words)) + words + b"\0")

    def function(kind, name, file):
        return add(struct.pack("<QQ136xQ", kind, name and text(name), file and text(file)))

    def frame(called, previous, line, kind=0):
        instruction = add(struct.pack("<24xII", line, 0))
        return add(struct.pack("<Q16xQ8xIIQ24x", instruction, called, kind, 0, previous))

    top = frame(function(2, 0, b"/srv/a.php"), 0, 3, CODE | TOP)
    code = frame(function(2, 0, b"/srv/part.php"), top, 4, CODE)
    outer = frame(function(2, b"f", b"/srv/a.php"), code, 5)
    inner = frame(function(1, b"usleep", 0), outer, 0)
    memory[8:16] = struct.pack("<Q", add(b"/srv/a.php\0"))
    for current in (inner, outer, top, 0):
        memory[:8] = struct.pack("<Q", current)
        yield bytes([20, 0]) + memory
        # It returns when the stack is read for the second time.
        yield bytes([20, 1, 22, 0]) + struct.pack(">Q", outer)[::-1] + memory


SEEDS = {
    "records": records,
    "params": params,
    "paths": paths,
    "status": status,
    "connection": connection,
    "status_connection": connection,
    "messages": messages,
    "worker_output": worker_output,
    "access_format": access_format,
    "stack": stack,
}

WORDS = {
    "records": [
        *CGI_NAMES,
        f.begin(1, flags=1),
        f.begin(2),
        f.record(f.PARAMS),
        f.record(f.PARAMS, b"", 2),
        f.record(f.STDIN),
        f.record(f.STDIN, b"", 2),
        f.record(f.ABORT),
        f.record(f.DATA, b"x"),
        f.record(f.GET_VALUES, b"", 0),
        f.record(99),
        b"\x01\x05\x00\x01\xff\xff\xff\x00",
        b"\xff\xff\xff\xff",
        b"\x80\x00\x00\x01",
    ],
    "stack": [struct.pack("<Q", STACK_BASE + n) for n in (0, 16, 24, 32, 64, 128, 256, 512)],
    "paths": [
        *"""/d/pi.php /d/t.php /d/dir /usr/bin/php-cgi proxy:fcgi:// proxy:balancer:// localhost:9000
        Microsoft-IIS/ /pi.php /foo /../ .. /. // %20 %2f + ? \\ /d/ php""".split(),
        b"\n\x00",
        b"\n\x01",
        b"\n\x02",
        b"\n\x03",
        b"\n\x04",
        b"\n\x05",
    ],
    "status": [
        *"""full json xml html openmetrics & = %66ull < > " ' \\ # &amp; &lt; ]]> --> </td> { } \\u0000
        phpfpm_ 1e9""".split(),
        b"\xef\xbf\xbe",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98\x80",
        b"\xc0\x80",
        b"\x1b[31m",
        number(2**64 - 1),
        number(10**9),
    ],
    "logs": [
        *"""%{mili}d %{kilo}M %{user}C %{%d/%b}t %{NAME}e %{Content-type}o %R %u %t %m %r %Q %q %s %f %%
        NOTICE: WARNING: [pool""".split(),
        b"\0fscf\0",
        b"\x1b[31m",
        b"\n",
        b"\r",
        b"\xfe",
        b"\xff",
    ],
}
