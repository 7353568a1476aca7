"""Probes of servers that were not written here: HTTPS against nginx."""
import os
import re

from programs import Case, Program, must
from rig import require

NAME = "model.example"
PROBED = {"check_interval": "200ms", "check_fast_interval": "50ms", "check_timeout": "2s"}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr; {user}
events {{ worker_connections 100; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{plain}; }}
    {servers}
}}
"""
# A probe that names another host than it asks for, in SNI or in the header, gets a status that fails.
SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/{kind}.pem; ssl_certificate_key {folder}/{kind}.key;
        location = /health {{ if ($ssl_server_name != {name}) {{ return 421; }} if ($host != {name}) {{ return 404; }} return 200 "ready\\n"; }}
    }}
"""
REASONS = {"good": None, "wrong": f"certificate is for another name than {NAME}", "expired": "certificate has expired",
           "selfsigned": "certificate is not trusted: self.signed certificate"}


def make_certificates(rig):
    """ca.pem, and KIND.pem and KIND.key for each kind: one that is as it should be, one for another name, one of yesterday, one that only itself signs."""
    def openssl(*arguments):
        must(["openssl", *arguments])

    def new_key(kind):
        return ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", rig.path(f"{kind}.key"), "-subj", f"/CN={kind}"]
    openssl(*new_key("ca"), "-x509", "-days", "2", "-out", rig.path("ca.pem"))
    for kind, name, days in ("good", NAME, 2), ("wrong", "other.example", 2), ("expired", NAME, -1):
        extensions = rig.write(f"{kind}.ext", f"subjectAltName=DNS:{name}\n")
        openssl(*new_key(kind), "-out", rig.path(f"{kind}.csr"))
        openssl("x509", "-req", "-in", rig.path(f"{kind}.csr"), "-CA", rig.path("ca.pem"), "-CAkey", rig.path("ca.key"), "-CAcreateserial",
                "-days", str(days), "-extfile", extensions, "-out", rig.path(f"{kind}.pem"))
    openssl(*new_key("selfsigned"), "-x509", "-days", "2", "-addext", f"subjectAltName=DNS:{NAME}", "-out", rig.path("selfsigned.pem"))


def https(rig, verify, initial):
    """A backend with a good certificate is up. With any other it is down, for a reason that says what is wrong, unless certificates are not verified."""
    make_certificates(rig)
    kinds = [*REASONS, "plain"]
    ports = {kind: rig.ports.free() for kind in kinds}
    config = rig.write("nginx.conf", NGINX.format(
        folder=rig.folder, plain=ports["plain"], user="user root;" if os.getuid() == 0 else "",
        servers="".join(SERVER.format(folder=rig.folder, port=ports[kind], kind=kind, name=NAME) for kind in REASONS)))
    path = "/usr/sbin/nginx" if os.access("/usr/sbin/nginx", os.X_OK) else "nginx"
    rig.keep(Program(rig, "nginx", [path, "-c", config, "-p", rig.folder, "-e", "stderr"], ports["plain"]))
    penstock = rig.launch(rig.ini([f"127.0.0.1:{ports[kind]}" for kind in kinds], [f"127.0.0.1:{rig.ports.free()}"], pool={
        **PROBED, "check": "https", "check_path": "/health", "check_body": "ready", "check_tls_name": NAME, "check_host": NAME,
        "check_tls_ca": rig.path("ca.pem"), "check_tls_verify": "yes" if verify else "no", "check_initial": initial}))
    for number, kind in enumerate(kinds):
        reason = "does not speak TLS" if kind == "plain" else REASONS[kind] if verify else None
        if initial == "up" and reason:
            penstock.wait_log(rf"backend b{number} .* is DOWN: {reason} \(")
        elif initial == "down" and not reason:
            penstock.wait_log(rf"backend b{number} .* is UP ")
    changed = len(re.findall(r" is (?:UP|DOWN)[ :]", penstock.log()))
    require(changed == (len(kinds) - 1 if initial == "up" else 1 if verify else len(REASONS)), f"{changed} backends changed their state")


CASES = tuple(Case(f"probe-https-{'verified' if verify else 'unverified'}-{initial}", ("nginx", "openssl"),
                   lambda rig, verify=verify, initial=initial: https(rig, verify, initial)) for verify, initial in ((True, "up"), (True, "down"), (False, "down")))
