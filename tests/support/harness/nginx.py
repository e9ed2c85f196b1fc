"""A private nginx in front of a daemon: own configuration, an unprivileged free port."""

import os
import re
import shutil
import socket
import subprocess

from .background import http_get, load_over_http
from .config import free_port
from .logs import LogFile
from .waiting import wait_until

PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIG = """
daemon off;
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path {dir}/tmp-body;
    fastcgi_temp_path {dir}/tmp-fastcgi;
    proxy_temp_path {dir}/tmp-proxy;
    uwsgi_temp_path {dir}/tmp-uwsgi;
    scgi_temp_path {dir}/tmp-scgi;
    include /etc/nginx/mime.types;
    upstream daemon {{ server {upstream}; {keepalive} }}
    server {{
        listen 127.0.0.1:{port};
        server_name localhost;
        root {root};
        index index.php doku.php;
        {front}
        location ~ ^/(status|ping)$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_pass daemon;
        }}
        location ~ \\.php(/|$) {{
            fastcgi_split_path_info ^(.+?\\.php)(/.*)?$;
            include /etc/nginx/fastcgi_params;
            # The packaged file leaves the port out, and we are not on port 80.
            fastcgi_param HTTP_HOST $http_host;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param PATH_INFO $fastcgi_path_info;
            fastcgi_keep_conn {keep};
            fastcgi_buffering {buffering};
            fastcgi_next_upstream {retry};
            fastcgi_pass daemon;
        }}
    }}
}}
"""


class Nginx:
    configuration = CONFIG

    def __init__(
        self, arena, address, root=None, keep=False, buffering=True, retry=False, front=None
    ):
        """`front`: the script that answers for every address that is no file."""
        self.arena = arena
        self.dir = arena.directory("nginx", None)
        self.log = LogFile(f"{self.dir}/nginx-error.log")
        self.allowed = []
        self._values = {
            "dir": self.dir,
            "user": "user www-data;" if os.geteuid() == 0 else "",
            "upstream": address if ":" in address else f"unix:{address}",
            "keepalive": "keepalive 8;" if keep else "",
            "keep": "on" if keep else "off",
            "buffering": "on" if buffering else "off",
            "root": root or arena.site,
            "front": f"location / {{ try_files $uri $uri/ {front}?$args; }}" if front else "",
            # nginx can hide a lost GET by asking again; a test wants to see it.
            "retry": "error timeout" if retry else "off",
        }
        self._start()

    def _start(self):
        conf = f"{self.dir}/nginx.conf"
        for _ in range(5):  # another program may take the port between choosing and binding
            self.port = free_port()
            with open(conf, "w", encoding="utf-8") as file:
                file.write(self.configuration.format(port=self.port, **self._values))
            self.process = subprocess.Popen(
                [PROGRAM, "-e", self.log.path, "-p", self.dir, "-c", conf],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.arena.popens[self.process.pid] = self.process
            wait_until(
                lambda: self.process.poll() is not None or self._accepts(),
                lambda: f"nginx accepts: {self.log.text()}",
                10,
            )
            if self.process.poll() is None:
                return
            if "Address already in use" not in self.log.text():
                break
        raise AssertionError(f"nginx does not start: {self.log.text()}")

    def _accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def get(self, path, **more):
        return http_get(self.port, path, **more)

    def load(self, path, expected, clients=3):
        return load_over_http(self.port, path, expected, clients)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def close(self):
        self.stop()
        serious = re.compile(r"\[(crit|alert|emerg)\]")
        return [
            f"nginx: {line}"
            for line in self.log.lines()
            if serious.search(line) and not any(re.search(p, line) for p in self.allowed)
        ]
