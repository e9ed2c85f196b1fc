"""nginx in front of several pools, with and without kept-alive connections; never asks twice."""

from harness.nginx import Nginx

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 8192;
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log warn;
events {{ worker_connections 4000; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_buffer_size 2m;
    client_body_temp_path {dir}/tmp-body;
    fastcgi_temp_path {dir}/tmp-fastcgi;
    proxy_temp_path {dir}/tmp-proxy;
    uwsgi_temp_path {dir}/tmp-uwsgi;
    scgi_temp_path {dir}/tmp-scgi;
    {upstreams}
    server {{
        listen 127.0.0.1:{port} backlog=4000;
        server_name localhost;
        root {root};
        {locations}
    }}
}}
"""
UPSTREAM = """
    upstream {name} {{ server {server} max_fails=0; {keepalive} }}"""
# A request that is lost must be seen: nothing is tried a second time.
LOCATION = """
        location ~ ^/{name}(?<script>/[a-z]+\\.php)$ {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_NAME $script;
            fastcgi_param SCRIPT_FILENAME $document_root$script;
            fastcgi_param CHAOS_JOURNAL {journal};
            fastcgi_keep_conn {keep};
            fastcgi_next_upstream off;
            fastcgi_read_timeout 120s;
            fastcgi_pass {name};
        }}"""
KEPT = "-kept"


class Front(Nginx):
    """`pools`: {first part of a path: address}; each also as NAME-kept, with keep-alive."""

    configuration = CONFIGURATION

    def __init__(self, arena, pools, journal):
        self._pools, self._journal = dict(pools), journal
        super().__init__(arena, "", root=arena.site)

    @property
    def routes(self):
        return [name for pool in self._pools for name in (pool, pool + KEPT)]

    def _start(self):
        upstreams, locations = [], []
        for pool, address in self._pools.items():
            server = address if ":" in address else f"unix:{address}"
            for name, keepalive, keep in ((pool, "", "off"), (pool + KEPT, "keepalive 16;", "on")):
                upstreams.append(UPSTREAM.format(name=name, server=server, keepalive=keepalive))
                locations.append(LOCATION.format(name=name, journal=self._journal, keep=keep))
        self._values |= {"upstreams": "".join(upstreams), "locations": "".join(locations)}
        super()._start()
