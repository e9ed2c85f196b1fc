"""A web server in front of one of the two daemons, as the cases see it."""

import json
import os

from harness.waiting import wait_until

# Different for every request or connection.
VOLATILE = {"REQUEST_TIME", "REQUEST_TIME_FLOAT", "REMOTE_PORT", "UNIQUE_ID"}

DUMP = r"""<?php
$files = [];
foreach ($_FILES as $field => $f) {
    $is = is_uploaded_file($f['tmp_name']);
    $digest = $is ? md5_file($f['tmp_name']) : '';
    $files[$field] = [$f['name'], $f['type'], $f['size'], $f['error'], $digest];
}
$input = file_get_contents('php://input');
echo json_encode([
    'get' => $_GET, 'post' => $_POST, 'files' => $files, 'cookies' => $_COOKIE,
    'size' => strlen($input), 'md5' => md5($input),
    'server' => $_SERVER, 'headers' => getallheaders(), 'proxy' => getenv('HTTP_PROXY'),
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_FORCE_OBJECT);
"""


class Dump:
    """What a script saw of its request, and its answer without that."""

    def __init__(self, front, answer):
        assert answer.status == 200, answer
        self.answer, self._ordered = answer, front.server.orders_variables
        seen = json.loads(front.neutral(answer.text))
        self.get, self.post, self.files = seen["get"], seen["post"], seen["files"]
        self.size, self.md5, self.proxy = seen["size"], seen["md5"], seen["proxy"]
        self.server = {k: v for k, v in seen["server"].items() if k not in VOLATILE}
        self.headers = seen["headers"]
        self._cookies = seen["cookies"]

    def comparable(self):
        """Variables with their order, if the server has one."""
        order = list if self._ordered else sorted
        return [
            *self.answer.comparable()[:3],
            [self.get, self.post, self.files, self._cookies, self.size, self.md5, self.proxy],
            order(self.server.items()),
            order(self.headers.items()),
        ]


class Front:
    def __init__(self, server, daemon, is_oracle):
        self.server, self.daemon, self.is_oracle = server, daemon, is_oracle
        self.arena = server.arena
        self.ask, self.client = server.ask, server.client
        self.script = server.arena.script
        self._marks = 0

    def neutral(self, text):
        """Without the ports of this front."""
        address = self.server.address
        for old, new in ((address, "POOL"), (address.replace("/", "\\/"), "POOL")):
            text = text.replace(old, new)
        return text.replace(f":{self.server.port}", ":PORT").replace(
            f'"{self.server.port}"', '"PORT"'
        )

    def dump(self, path="/dump.php", **request):
        self.script("dump.php", DUMP)
        return Dump(self, self.ask(path, **request))

    def mark(self):
        """A new name for files by which a script and the case wait for each other."""
        self._marks += 1
        return f"{self.arena.scratch}/{self.server.port}.{self.server.name}.{self._marks}"

    @staticmethod
    def make(path):
        with open(path, "w", encoding="ascii"):
            pass

    @staticmethod
    def wait_for_file(path):
        wait_until(lambda: os.path.exists(path), f"{path} is there", 20)
