"""nginx, over a unix socket or over TCP connections that are kept alive."""

import os

from .web_server import WebServer

MAIN = """
daemon off;
{user}
worker_processes 1;
pid {dir}/pid;
error_log {dir}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path {dir}/body;
    fastcgi_temp_path {dir}/fastcgi;
    proxy_temp_path {dir}/proxy;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    # Whatever a lost request is, the test shall see it.
    fastcgi_next_upstream off;
    {sample}
}}
"""


class Nginx(WebServer):
    program = "nginx"
    file, replacements = "", {}

    def configuration(self):
        if not os.path.exists(f"{self.dir}/fastcgi_params"):
            os.symlink("/etc/nginx/fastcgi_params", f"{self.dir}/fastcgi_params")
        listen = {"listen 80;": f"listen 127.0.0.1:{self.port};", "example.org": "localhost"}
        sample = self.sample(self.file, {**listen, **self.pool()})
        user = "user www-data;" if self.identity.is_root else ""
        self.write("nginx.conf", MAIN.format(dir=self.dir, user=user, sample=sample))

    def pool(self):
        raise NotImplementedError

    def command(self):
        return ["-e", self.log.path, "-p", self.dir, "-c", f"{self.dir}/nginx.conf"]


class NginxSite(Nginx):
    name = "nginx"
    file = "nginx/muster-site.conf"

    def pool(self):
        return {"/run/muster/www.sock": self.address, "listen [::]:80;": ""}


class NginxKeepalive(Nginx):
    name = "nginx-keepalive"
    listens_on = "tcp"
    file = "nginx/muster-keepalive.conf"

    def pool(self):
        return {"127.0.0.1:9000": self.address}
