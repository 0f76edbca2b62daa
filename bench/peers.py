"""bench/peers.py - the programs that are compared, each with a configuration that its
own documentation would give: one worker, connections to the upstream kept open,
no access log.
"""
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path

BODY = '{"id":42,"customer":"c-1007","status":"paid","total":"129.90","currency":"EUR","items":[1,2,3,4,5]}'
BASE62 = string.digits + string.ascii_letters
KEYS = 100_000
ROLES = 20
RIGHTS = 1_000
SUBJECTS = 200


@dataclass
class Place:
    """Where a program is put: its directory, its ports, its certificate."""
    home: Path
    upstream: int
    port: int
    tls_port: int
    cert: Path
    key: Path
    spare: int  # one more port, for an authority
    keys: list = field(default_factory=list)


def api_keys(count):
    """As long as a token of Writ, so that every program reads as many bytes."""
    return ["key_" + "".join(secrets.choice(BASE62) for _ in range(76)) for _ in range(count)]


# --- nginx ------------------------------------------------------------------------

NGINX = """
worker_processes 1;
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    {inside}
}}
"""

NGINX_PROXY = """
    upstream backend {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        {listen_tls}
        location / {{
            {check}
            proxy_pass http://backend;
        }}
        {server}
    }}
"""

LISTEN_TLS = """listen 127.0.0.1:{tls_port} ssl backlog=1024;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;"""


def nginx_command(place, inside):
    conf = place.home / "nginx.conf"
    conf.write_text(NGINX.format(home=place.home, inside=inside))
    return ["nginx", "-p", str(place.home), "-c", str(conf), "-e", str(place.home / "error.log")]


def nginx_proxy(place, http="", check="", server="", tls=False):
    listen = LISTEN_TLS.format(tls_port=place.tls_port, cert=place.cert, key=place.key)
    return nginx_command(place, NGINX_PROXY.format(
        upstream=place.upstream, port=place.port, http=http, check=check, server=server,
        listen_tls=listen if tls else ""))


def upstream(place):
    """The small service behind all of them: a constant answer of 100 bytes."""
    return nginx_command(place, f"""
    server {{
        listen 127.0.0.1:{place.port} backlog=1024;
        default_type application/json;
        location / {{ return 200 '{BODY}'; }}
        location = /authority {{ return 204; }}
    }}""")


def nginx_plain(place):
    return nginx_proxy(place, tls=True)


def nginx_map(place):
    keys = place.home / "keys.map"
    keys.write_text("".join(f'"Bearer {key}" 1;\n' for key in place.keys))
    return nginx_proxy(place, check="if ($known = 0) { return 401; }", http=f"""
    map_hash_max_size 262144;
    map_hash_bucket_size 256;
    map $http_authorization $known {{
        default 0;
        include {keys};
    }}""")


def nginx_auth_request(place):
    """Asks an authority for every request; that one's own time is not counted here."""
    return nginx_proxy(place, check="auth_request /authority;", http=f"""
    upstream authority {{
        server 127.0.0.1:{place.upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}""", server="""
        location = /authority {
            internal;
            proxy_pass http://authority;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
        }""")


# --- HAProxy ----------------------------------------------------------------------

HAPROXY = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    timeout http-keep-alive 1h
    http-reuse always
frontend door
    bind 127.0.0.1:{port}
    {bind_tls}
    {check}
    default_backend service
backend service
    server one 127.0.0.1:{upstream}
"""


def haproxy(place, check="", tls=False):
    pem = place.home / "door.pem"
    pem.write_text(place.cert.read_text() + place.key.read_text())
    bind = f"bind 127.0.0.1:{place.tls_port} ssl crt {pem} ssl-min-ver TLSv1.3 alpn http/1.1"
    conf = place.home / "haproxy.cfg"
    conf.write_text(HAPROXY.format(port=place.port, upstream=place.upstream, check=check,
                                   bind_tls=bind if tls else ""))
    return ["haproxy", "-db", "-f", str(conf)]


def haproxy_plain(place):
    return haproxy(place, tls=True)


def haproxy_map(place):
    keys = place.home / "keys.map"
    keys.write_text("".join(f"{key} reader\n" for key in place.keys))
    return haproxy(place, f"""http-request set-var(txn.role) req.hdr(authorization),word(2,' '),map_str({keys})
    http-request deny deny_status 401 unless {{ var(txn.role) -m found }}
    http-request deny deny_status 403 unless {{ path_beg /orders/v1/orders/ }}""")


# --- Caddy ------------------------------------------------------------------------

def caddy_plain(place):
    conf = place.home / "Caddyfile"
    proxy = f"reverse_proxy 127.0.0.1:{place.upstream}"
    conf.write_text(f"""{{
    admin off
    auto_https off
}}
http://127.0.0.1:{place.port} {{
    {proxy}
}}
https://127.0.0.1:{place.tls_port} {{
    tls {place.cert} {place.key}
    {proxy}
}}
""")
    return ["env", f"HOME={place.home}", "GOMAXPROCS=1", "caddy", "run", "--config", str(conf),
            "--adapter", "caddyfile"]


# --- Writ -------------------------------------------------------------------------

def role_rights(role):
    """A thousand rights of one role: things by number, subtrees and prefixes, and, in the
    middle, the right that the load needs."""
    shapes = ["orders:GET|POST:/v1/tenants/{n}/orders/*", "orders:GET:/v1/reports/{n}/**",
              "orders:PUT|PATCH:/v1/customers/{n}/address", "orders:GET:/v1/files/batch-{n}-*"]
    rights = [shapes[i % 4].format(n=role * RIGHTS + i) for i in range(RIGHTS - 1)]
    rights.insert(RIGHTS // 2, "orders:GET|HEAD:/v1/orders/*")
    return rights


def writ_policy(place):
    lines = ["upstreams:", f'  orders: {{type: http, url: "http://127.0.0.1:{place.upstream}"}}', "roles:"]
    for role in range(ROLES):
        lines += [f"  role-{role}:", "    allow:"]
        lines += [f'      - "{right}"' for right in role_rights(role)]
    lines.append("subjects:")
    for subject in range(SUBJECTS):
        lines.append(f"  service-{subject}: {{type: service, roles: [role-{subject % ROLES}]}}")
    return "\n".join(lines) + "\n"


def writ(place, program, tls=False):
    (place.home / "policy.yaml").write_text(writ_policy(place))
    door = f"listen: 127.0.0.1:{place.tls_port if tls else place.port}"
    if tls:
        door += f", tls: {{cert: {place.cert}, key: {place.key}}}"
    (place.home / "writ.yaml").write_text(f"""data: ./data
lanes: 1
authority: {{listen: 127.0.0.1:{place.spare}}}
gateway:
  http: {{{door}}}
policy: [policy.yaml]
audit: {{mode: strict}}
""")
    return [str(program), "serve", "--config", str(place.home / "writ.yaml")]
