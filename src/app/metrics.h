/* app/metrics.h - the gateway's and the audit's counters as Prometheus text. */
#ifndef WRIT_APP_METRICS_H
#define WRIT_APP_METRICS_H

#include "audit/audit.h"
#include "base/buffer.h"
#include "gateway/gateway.h"

void metrics_write(const struct gateway *gateway, const struct audit *audit, struct buffer *out);

#endif
