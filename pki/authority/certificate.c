/* certificate: addresses; the rows are in certificate_store.c, what timers do in certificate_timer_store.c. */
#include <stdio.h>

#include "pki/authority/certificate.h"

static void
url(char out[256], const char *base, const char *folder, const char *label, int shard, int shards, const char *end)
{
    const int n = shards > 1 ? snprintf(out, 256, "%s/%s/%s-%d%s", base, folder, label, shard, end)
                             : snprintf(out, 256, "%s/%s/%s%s", base, folder, label, end);

    CHECK(n > 0 && n < 256);
}

void
ca_urls(const char *base, const struct ca *ca, int shard, struct ca_urls *ret)
{
    char label[CA_LABEL_SIZE];

    ca_label(ca->name, ca->generation, label);
    url(ret->crl, base, "crl", label, shard, ca->shards, ".crl");
    url(ret->delta_crl, base, "crl", label, shard, ca->shards, "-delta.crl");
    url(ret->ca_issuers, base, "ca", label, 0, 1, ".cer");
    CHECK((size_t)snprintf(ret->ocsp, sizeof(ret->ocsp), "%s/ocsp", base) < sizeof(ret->ocsp));
}
