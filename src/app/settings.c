/* app/settings.c - every setting of writ.yaml, in the order in which it is shown. */
#include "settings.h"

#include <stddef.h>

#define AT(member) offsetof(struct config, member)
#define LISTEN_ROWS(prefix, member, what)                                                          \
    { prefix ".listen", SETTING_ADDRESS, AT(member.listen), NULL, NULL, what },                    \
        { prefix ".tls.cert",                                                                      \
          SETTING_PATH,                                                                            \
          AT(member.cert),                                                                         \
          NULL,                                                                                    \
          NULL,                                                                                    \
          "Certificate chain, PEM. Read again on SIGHUP." },                                       \
        { prefix ".tls.key", SETTING_PATH, AT(member.key), NULL, NULL, "Its private key, PEM." },  \
        { prefix ".tls.client_ca",                                                                 \
          SETTING_PATH,                                                                            \
          AT(member.client_ca),                                                                    \
          NULL,                                                                                    \
          NULL,                                                                                    \
          "Authorities that client certificates chain to, PEM: all of them with client_cert "      \
          "require." },                                                                            \
        { prefix ".tls.client_cert", SETTING_CHOICE,                                               \
          AT(member.client_cert),    "none",                                                       \
          "none|request|require",    "Whether clients are asked for a certificate." },             \
    {                                                                                              \
        prefix ".insecure", SETTING_FLAG, AT(member.insecure), "false", NULL,                      \
            "Allow this listener to be clear (no TLS) on an address that is not loopback."         \
    }

const struct setting settings[] = {
    { "data", SETTING_PATH, AT(data), "./data", NULL,
      "Keys, embedded store and audit. Made with mode 0700." },
    { "node", SETTING_TEXT, AT(node), NULL, NULL,
      "This node's name in the audit; the host's name when absent." },
    { "lanes", SETTING_COUNT, AT(lanes), "auto", NULL,
      "Worker threads of the gateway; auto is one per core." },
    { "user", SETTING_TEXT, AT(user), NULL, NULL,
      "When started as root: the user to become once the listeners are open." },
    LISTEN_ROWS("authority", authority,
                "Management API, host:port; the local socket is always there."),
    { "authority.issuer", SETTING_TEXT, AT(issuer), NULL, NULL,
      "The authority's public URL; http(s)://listen when absent." },
    LISTEN_ROWS("gateway.http", http, "The HTTP door, host:port. Only what is listed opens."),
    { "gateway.http.url", SETTING_TEXT, AT(http_url), NULL, NULL,
      "The URL that clients see the door under, a path prefix included, when it is not the address "
      "it listens on: proofs of possession are made for it." },
    LISTEN_ROWS("gateway.postgres", postgres, "The PostgreSQL door, host:port."),
    LISTEN_ROWS("gateway.redis", redis, "The Redis door, host:port."),
    { "gateway.connections", SETTING_COUNT, AT(connections), "16384", NULL,
      "Most client connections of one lane; further ones wait in the kernel." },
    { "store.type", SETTING_CHOICE, AT(store_type), "sqlite", "sqlite|postgres",
      "sqlite: embedded, one process; postgres: shared by the nodes of a fleet." },
    { "store.url", SETTING_TEXT, AT(store_url), NULL, NULL,
      "postgresql://…, for store.type postgres; several hosts: the primary is taken." },
    { "keys.passphrase_file", SETTING_PATH, AT(passphrase_file), NULL, NULL,
      "Seals the key ring with a passphrase instead of data/key." },
    { "policy", SETTING_PATHS, AT(policy), NULL, NULL,
      "Policy files, applied at start when they are new to this store, and on SIGHUP.", true },
    { "limits.default_ttl", SETTING_DURATION, AT(default_ttl), "24h", NULL,
      "Life of a token that names none.", true },
    { "limits.max_ttl", SETTING_DURATION, AT(max_ttl), "7d", NULL, "Longest life of one token.",
      true },
    { "limits.max_line", SETTING_DURATION, AT(max_line), "90d", NULL,
      "How long a token may go on by rotating itself.", true },
    { "limits.client_calls", SETTING_COUNT, AT(client_calls), "6000", NULL,
      "Most calls a minute of one client at the OAuth endpoints." },
    { "limits.address_calls", SETTING_COUNT, AT(address_calls), "6000", NULL,
      "Most calls a minute from one address at the OAuth endpoints." },
    { "trusted_proxies", SETTING_NETWORKS, AT(trusted_proxies), NULL, NULL,
      "Peers whose Forwarded, X-Forwarded-*, X-Original-* and Client-Cert headers are believed, at "
      "the gateway and at the authority." },
    { "dpop.nonce", SETTING_CHOICE, AT(dpop_nonce), "optional", "optional|required",
      "Whether DPoP proofs need a nonce of the server." },
    { "audit.mode", SETTING_CHOICE, AT(audit_mode), "strict", "strict|lossy",
      "strict: no audit line, no answer. lossy: goes on and counts what is lost." },
    { "audit.retention", SETTING_DURATION, AT(audit_retention), "90d", NULL,
      "How long audit lines are kept." },
    { "recordings.mode", SETTING_CHOICE, AT(recordings_mode), "on", "on|off",
      "Whether interactive sessions (exec and attach in containers) are recorded, sealed, on this "
      "node." },
    { "recordings.dir", SETTING_PATH, AT(recordings_dir), NULL, NULL,
      "Where recordings lie; data/recordings when absent." },
    { "recordings.input", SETTING_FLAG, AT(recordings_input), "false", NULL,
      "Record what is typed too, passwords included." },
    { "recordings.retention", SETTING_DURATION, AT(recordings_retention), "90d", NULL,
      "How long recordings are kept." },
    { "approvals.webhook.url", SETTING_TEXT, AT(webhook.url), NULL, NULL,
      "Where this node tells of approvals that are asked for and answered: https, or http on this "
      "machine." },
    { "approvals.webhook.secret_file", SETTING_PATH, AT(webhook.secret_file), NULL, NULL,
      "Signs what is told: a file of mode 0600 that holds at least 32 bytes, or whsec_ and their "
      "base64." },
    { "approvals.webhook.ca", SETTING_PATH, AT(webhook.ca), NULL, NULL,
      "Authorities that the receiver's certificate chains to, PEM; the system's when absent." },
    { "approvals.webhook.insecure", SETTING_FLAG, AT(webhook.insecure), "false", NULL,
      "Allow http to another machine: what is told, calls included, crosses the network in "
      "clear." },
    { "stdio.users", SETTING_NAMES, AT(stdio_users), NULL, NULL,
      "Users as whom servers of standard input and output (type mcp, stdio) may be started; never "
      "root." },
    { "fleet.staleness", SETTING_DURATION, AT(fleet_staleness), "5s", NULL,
      "For a fleet: the oldest view a node may act on." },
};
_Static_assert(sizeof settings / sizeof settings[0] == SETTING_ROWS, "one row for each");
