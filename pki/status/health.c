/*
 * health: GET /health/live and /health/ready. Live: the process answers. Ready: no list is over, and OCSP answers may be
 * given; 503 otherwise, so that a load balancer takes a machine that is not fresh.
 */
#include "pki/status/endpoints.h"
#include "pki/status/status-internal.h"

void
get_health_live(struct http_request *req)
{
    http_reply_json(req, 200, "{\"live\":true}");
}

void
get_health_ready(struct http_request *req)
{
    struct status_process *s = http_app(req);
    AUTO(buf_free) struct buf json = BUF_BOUNDED(256);
    const utime known_at = atomic_load(&s->known_at), now = http_now(req);
    const bool stale = known_at == 0 || now - known_at > s->policy.stale_max, late = atomic_load(&s->late);

    buf_addf(&json, "{\"ready\":%s,\"known_seconds_ago\":%lld,\"lists\":\"%s\"}", stale || late ? "false" : "true",
             known_at == 0 ? -1LL : (long long)((now - known_at) / USEC_PER_SEC), late ? "over" : "in time");
    http_reply_json(req, stale || late ? 503 : 200, buf_cstr(&json));
}
