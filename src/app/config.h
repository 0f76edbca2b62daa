/* app/config.h - writ.yaml as one value: read once at the start, checked whole. */
#ifndef WRIT_APP_CONFIG_H
#define WRIT_APP_CONFIG_H

#include "base/address.h"
#include "base/buffer.h"
#include "base/fault.h"

struct config_listen {
    char *listen; /* NULL: does not open */
    char *cert, *key, *client_ca;
    char *client_cert; /* "none" "request" "require" */
    bool insecure;
};

struct config_paths {
    char **items;
    size_t count;
};

struct config_webhook {
    char *url; /* NULL: none */
    char *secret_file, *ca;
    bool insecure;
};

struct config_networks {
    struct cidr *items;
    size_t count;
};

/* Owns all its strings. Durations are milliseconds. Paths are absolute or relative
 * to the working directory: those in the file were relative to the file. */
struct config {
    char *data;
    char *node;
    uint64_t lanes; /* 0: one per core */
    char *user;     /* NULL: stays who it is */
    struct config_listen authority;
    char *issuer;
    struct config_listen http, postgres, redis;
    char *http_url; /* NULL: where it listens */
    uint64_t client_calls, address_calls;
    uint64_t connections; /* for each lane */
    char *store_type, *store_url;
    char *passphrase_file;
    struct config_paths policy;
    int64_t default_ttl, max_ttl, max_line;
    struct config_networks trusted_proxies;
    char *dpop_nonce;
    char *audit_mode;
    int64_t audit_retention;
    char *recordings_mode, *recordings_dir; /* dir NULL: data/recordings */
    bool recordings_input;
    int64_t recordings_retention;
    struct config_webhook webhook;
    int64_t fleet_staleness;
    struct config_paths stdio_users; /* names */
};

/* Reads the file. Every fault is reported at once, one line each, into faults as
 * "writ.yaml:3:5: …"; INVALID when there was any. On OK *out is the caller's. */
enum status config_read(const char *path, struct config *out, struct buffer *faults) WRIT_MUST_USE;
void config_free(struct config *config);

/* What may change while it runs (the policy files, the limits) moves from next to
 * config; what was there goes the other way. */
void config_adopt(struct config *config, struct config *next);
/* Appends the names of the other settings that differ, ", " between them. */
void config_restart(const struct config *config, const struct config *next, struct buffer *out);

/* The settings as they stand, as YAML with their help, into out. */
void config_show(const struct config *config, struct buffer *out);
/* The reference table in Markdown: docs/configuration.md is made of it. */
void config_reference(struct buffer *out);

#endif
