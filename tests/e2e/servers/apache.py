"""Apache with mod_proxy_fcgi: SetHandler and ProxyPassMatch, unix and TCP, alone and balanced."""

from .web_server import WebServer

MAIN = """
ServerRoot {dir}
ServerName localhost
{user}
Listen 127.0.0.1:{port}
PidFile {dir}/pid
DefaultRuntimeDir {dir}
Mutex file:{dir}
ErrorLog {dir}/error.log
LogLevel warn
StartServers 1
ServerLimit 2
ThreadsPerChild 32
MaxRequestWorkers 64
GracefulShutdownTimeout 1
{modules}
TypesConfig /etc/mime.types
{sample}
"""

MODULES = (
    "mpm_event authz_core authz_host dir mime setenvif "
    "proxy proxy_fcgi proxy_balancer lbmethod_byrequests slotmem_shm"
).split()


class Apache(WebServer):
    program = "apache2"
    measures_chunks = False
    file = ""

    def configuration(self):
        here = {"<VirtualHost *:80>": "<VirtualHost *>", "example.org": "localhost", **self.pool()}
        self.write(
            "apache.conf",
            MAIN.format(
                dir=self.dir,
                port=self.port,
                user="User www-data\nGroup www-data" if self.identity.is_root else "",
                modules="\n".join(
                    f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                    for name in MODULES
                ),
                sample=self.sample(self.file, here),
            ),
        )

    def pool(self):
        if self.listens_on == "unix":
            return {"/run/muster/www.sock": self.address}
        return {"127.0.0.1:9000": self.address}

    def command(self):
        return ["-DFOREGROUND", "-f", f"{self.dir}/apache.conf"]


class ApacheSite(Apache):
    name = "apache-sethandler"
    file = "apache/muster-site.conf"


class ApacheProxyPass(Apache):
    decodes_names = False
    name = "apache-unix"
    file = "apache/muster-proxypass.conf"


class ApacheTcp(Apache):
    decodes_names = False
    name = "apache-tcp"
    file = "apache/muster-tcp.conf"
    listens_on = "tcp"


class ApacheBalancer(Apache):
    decodes_names = False
    name = "apache-balancer"
    file = "apache/muster-balancer.conf"
    listens_on = "tcp"
