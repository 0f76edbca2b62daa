/* app/metrics.h - the gateway's and the audit's counters as Prometheus text. */
#ifndef WRIT_APP_METRICS_H
#define WRIT_APP_METRICS_H

#include "audit/audit.h"
#include "base/buffer.h"
#include "gateway/gateway.h"
#include "gateway/recording.h"

/* recorder may be NULL. */
void metrics_write(const struct gateway *gateway, const struct audit *audit,
                   const struct recorder *recorder, struct buffer *out);

#endif
