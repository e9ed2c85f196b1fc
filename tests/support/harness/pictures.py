"""Makes pictures for tests that upload some."""

import os
import struct
import zlib


def _chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, row=None):
    """A valid PNG; `row(y)` gives the 3 * width bytes of a line, noise if there is none."""
    row = row or (lambda _: os.urandom(3 * width))
    rows = b"".join(b"\0" + row(y) for y in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def sunset(width, height):
    """A PNG that one recognises on a screenshot: a gradient with a bright disc."""

    def row(y):
        line = bytearray()
        for x in range(width):
            disc = (x - width // 2) ** 2 + (y - height // 2) ** 2 < (height // 4) ** 2
            line += bytes((255, 220, 90) if disc else (200 * y // height, 60, 160 - 120 * y // height))
        return bytes(line)

    return png(width, height, row)
