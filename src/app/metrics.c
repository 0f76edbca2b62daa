/* app/metrics.c - counters of the gateway and the audit in the Prometheus text
 * format. */
#include "metrics.h"

#include <inttypes.h>

struct metric {
    const char *name, *type, *help, *labels;
    uint64_t value;
};

/* Rows of one name stand together; its head is written once. */
static void
write_rows(const struct metric *rows, size_t count, struct buffer *out)
{
    const char *name = "";

    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, rows[i].name) != 0) {
            name = rows[i].name;
            put_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, rows[i].help, name, rows[i].type);
        }
        put_format(out, "%s%s %" PRIu64 "\n", name, rows[i].labels, rows[i].value);
    }
}

static void
write_latency(const struct gateway_stats *stats, struct buffer *out)
{
    enum { BUCKETS = sizeof stats->latency_us_buckets / sizeof stats->latency_us_buckets[0] };
    uint64_t total = 0;

    put_text(out,
             "# HELP writ_request_duration_seconds From a request's head to its answer's end.\n"
             "# TYPE writ_request_duration_seconds histogram\n");
    for (int i = 0; i < BUCKETS; i++) {
        total += stats->latency_us_buckets[i];
        if (i == BUCKETS - 1)
            put_format(out, "writ_request_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
                       total);
        else
            put_format(out, "writ_request_duration_seconds_bucket{le=\"%.6f\"} %" PRIu64 "\n",
                       (double)(UINT64_C(64) << i) / 1e6, total);
    }
    put_format(out, "writ_request_duration_seconds_sum %.6f\n",
               (double)stats->latency_us_sum / 1e6);
    put_format(out, "writ_request_duration_seconds_count %" PRIu64 "\n", total);
}

void
metrics_write(const struct gateway *gateway, const struct audit *audit,
              const struct recorder *recorder, struct buffer *out)
{
    const char *const requests = "writ_requests_total", *const asked =
                                                            "Requests at the gate, by answer.";
    const char *const recordings = "writ_recordings_total", *const recorded =
                                                                "Recorded sessions, by state.";
    struct recorder_stats sessions = { 0 };
    struct gateway_stats gate;
    struct audit_stats lines;

    gateway_stats(gateway, &gate);
    audit_stats(audit, &lines);
    if (recorder != NULL)
        recorder_stats(recorder, &sessions);
    const struct metric rows[] = {
        { requests, "counter", asked, "{answer=\"allowed\"}", gate.allowed },
        { requests, "counter", asked, "{answer=\"refused\"}", gate.refused },
        { requests, "counter", asked, "{answer=\"unauthenticated\"}", gate.unauthenticated },
        { requests, "counter", asked, "{answer=\"malformed\"}", gate.malformed },
        { requests, "counter", asked, "{answer=\"limited\"}", gate.limited },
        { "writ_upstream_failures_total", "counter", "Requests that no upstream answered.", "",
          gate.upstream_failed },
        { "writ_connections_open", "gauge", "Client connections now.", "", gate.connections_open },
        { "writ_connections_total", "counter", "Client connections accepted.", "",
          gate.connections_total },
        { "writ_bytes_total", "counter", "Body bytes relayed.", "{direction=\"in\"}",
          gate.bytes_in },
        { "writ_bytes_total", "counter", "Body bytes relayed.", "{direction=\"out\"}",
          gate.bytes_out },
        { "writ_sessions_cut_total", "counter", "Open sessions cut because their right ended.", "",
          gate.sessions_cut },
        { recordings, "counter", recorded, "{state=\"begun\"}", sessions.begun },
        { recordings, "counter", recorded, "{state=\"complete\"}", sessions.ended },
        { recordings, "counter", recorded, "{state=\"failed\"}", sessions.failed },
        { "writ_audit_lines_sealed_total", "counter", "Audit lines in the chained log.", "",
          lines.sealed },
        { "writ_audit_lines_lost_total", "counter", "Audit lines lost (audit.mode lossy).", "",
          lines.lost },
        { "writ_audit_refused_total", "counter", "Requests refused for want of an audit line.", "",
          lines.refused },
        { "writ_audit_segments", "gauge", "Audit segments on disk.", "", lines.segments },
        { "writ_audit_bytes", "gauge", "Audit bytes on disk.", "", lines.bytes },
        { "writ_audit_failing", "gauge", "1 when the last audit write failed.", "", lines.failing },
    };
    write_rows(rows, sizeof rows / sizeof rows[0], out);
    write_latency(&gate, out);
}
