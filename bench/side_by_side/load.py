# The way to the daemons: nginx in front of them, wrk as the crowd of clients.
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from .daemon import WORKERS, as_root

# An idle kept-alive connection holds a worker: nginx must let go of them before the next page.
IDLE_SECONDS = 1

NGINX = """\
{user}
worker_processes 1;
daemon off;
pid {run}/nginx.pid;
error_log {run}/nginx.error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {run}/nginx-body;
    proxy_temp_path {run}/nginx-proxy;
    fastcgi_temp_path {run}/nginx-fastcgi;
    uwsgi_temp_path {run}/nginx-uwsgi;
    scgi_temp_path {run}/nginx-scgi;
    keepalive_requests 1000000;
    fastcgi_buffers 32 16k;
{upstreams}
    server {{
        listen 127.0.0.1:{port};
        root {pages};
{locations}
    }}
}}
"""
UPSTREAM = """\
    upstream {name}_close {{ server unix:{socket}; }}
    upstream {name}_keep {{
        server unix:{socket};
        keepalive {workers};
        keepalive_requests 1000000;
        keepalive_timeout {idle}s;
    }}
"""
LOCATION = """\
        location ~ ^/{name}/{mode}/(?<page>[a-z]+\\.php)$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {pages}/$page;
            fastcgi_keep_conn {keep};
            fastcgi_pass {name}_{mode};
        }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """One nginx for all daemons, with a place for each and for each kind of connection."""

    def __init__(self, run, pages, daemons):
        self.run = Path(run)
        self.port = free_port()
        self.process = None
        places = [
            LOCATION.format(name=daemon.name, mode=mode, keep=keep, pages=pages)
            for daemon in daemons
            for mode, keep in (("close", "off"), ("keep", "on"))
        ]
        upstreams = [
            UPSTREAM.format(
                name=daemon.name, socket=daemon.socket, workers=WORKERS, idle=IDLE_SECONDS
            )
            for daemon in daemons
        ]
        (self.run / "nginx.conf").write_text(
            NGINX.format(
                user="user www-data;" if as_root() else "",
                run=self.run,
                pages=pages,
                port=self.port,
                upstreams="".join(upstreams),
                locations="".join(places),
            )
        )

    def url(self, daemon, mode, page):
        return f"http://127.0.0.1:{self.port}/{daemon.name}/{mode}/{page}"

    def start(self):
        log = self.run / "nginx.error.log"
        self.process = subprocess.Popen(
            ["nginx", "-p", self.run, "-c", self.run / "nginx.conf", "-e", log],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"nginx does not listen:\n{log.read_text()}")

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.process = None


def let_idle_connections_go():
    time.sleep(IDLE_SECONDS + 0.5)


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


LATENCY = re.compile(r"99%\s+([\d.]+)(us|ms|s)")
UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def crowd(url, clients, seconds):
    """What wrk saw; any answer that was not a success is an error here."""
    run = subprocess.run(
        ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "10s", url],
        capture_output=True,
        text=True,
        check=True,
    )
    text = run.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{url}: not every request was answered well:\n{text}")
    number, unit = LATENCY.search(text).groups()
    return {
        "requests": int(re.search(r"(\d+) requests in", text).group(1)),
        "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
        "p99_ms": float(number) * UNIT_MS[unit],
    }
