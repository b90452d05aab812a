/*
 * x509_trust: anchors, intermediates and verified CRLs, gathered once and then only read. See x509_path.h.
 */
#include <openssl/x509v3.h>

#include "base/crypto/x509-internal.h"

void
x509_node_done(struct x509_node *n)
{
    X509_free(n->x);
    n->x = NULL;
    x509_done(&n->cert);
}

enum err
x509_node_read(struct str der, struct x509_node *ret, struct why *why)
{
    struct x509_node node = { .x = NULL };
    enum err e;

    if ((e = x509_read(der, &node.cert, why)) != OK)
        return e;
    if ((e = x509_to_openssl(&node.cert, &node.x, why)) != OK) {
        x509_node_done(&node);
        return e;
    }
    (void)X509_check_purpose(node.x, -1, 0);     /* reads the extensions now: afterwards threads only look */
    ossl_queue_clear();
    *ret = node;
    return OK;
}

struct x509_trust *
x509_trust_new(void)
{
    struct x509_trust *t = mem_alloc(sizeof(*t));

    t->anchor_stack = sk_X509_new_null();
    t->intermediate_stack = sk_X509_new_null();
    CHECK(t->anchor_stack != NULL && t->intermediate_stack != NULL);
    return t;
}

void
x509_trust_free(struct x509_trust *t)
{
    if (t == NULL)
        return;
    sk_X509_free(t->anchor_stack);
    sk_X509_free(t->intermediate_stack);
    for (size_t i = 0; i < t->n_anchors; i++)
        x509_node_done(&t->anchors[i]);
    for (size_t i = 0; i < t->n_intermediates; i++)
        x509_node_done(&t->intermediates[i]);
    for (size_t i = 0; i < t->n_crls; i++)
        x509_crl_free(t->crls[i]);
    mem_freep(&t->anchors);
    mem_freep(&t->intermediates);
    mem_freep(&t->crls);
    mem_freep(&t);
}

static void
node_push(struct x509_node **list, size_t *n, STACK_OF(X509) *stack, struct x509_node *node)
{
    *list = mem_realloc_array(*list, *n + 1, sizeof(**list));
    (*list)[(*n)++] = *node;
    CHECK(sk_X509_push(stack, node->x) > 0);
}

enum err
x509_trust_add_anchor(struct x509_trust *t, struct str der, struct why *why)
{
    struct x509_node node = { .x = NULL };
    enum err e;

    if ((e = x509_node_read(der, &node, why)) != OK)
        return e;
    if (!node.cert.is_ca || (node.cert.has_key_usage && (node.cert.key_usage & X509_KEY_CERT_SIGN) == 0)) {
        x509_node_done(&node);
        return why_set(why, ERR_DENIED, "not the certificate of a certification authority");
    }
    if (node.cert.wrong_criticality != NULL) {
        err_ignore(why_set(why, ERR_DENIED, "extension %s must be critical, or must not be, and is the other",
                           node.cert.wrong_criticality));
        x509_node_done(&node);
        return ERR_DENIED;
    }
    node_push(&t->anchors, &t->n_anchors, t->anchor_stack, &node);
    return OK;
}

enum err
x509_trust_add_intermediate(struct x509_trust *t, struct str der, struct why *why)
{
    struct x509_node node = { .x = NULL };
    enum err e;

    if ((e = x509_node_read(der, &node, why)) != OK)
        return e;
    node_push(&t->intermediates, &t->n_intermediates, t->intermediate_stack, &node);
    return OK;
}

/* A certificate of the CRL's issuer whose key verifies it. The first reason is kept: it is the one of the best guess. */
static enum err
signer_find(const struct x509_node *nodes, size_t n, struct x509_crl *crl, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        const struct str aki = buf_view(&crl->authority_key_id), ski = nodes[i].cert.subject_key_id;
        struct why one = WHY_INIT;

        if (X509_NAME_cmp(X509_get_subject_name(nodes[i].x), crl->issuer) != 0 || (aki.n > 0 && ski.p != NULL && !str_eq(aki, ski)))
            continue;
        if (x509_crl_verify(crl, &nodes[i].cert, &one) == OK)
            return OK;
        if (why != NULL && why->text[0] == '\0')
            *why = one;
    }
    return ERR_DENIED;
}

enum err
x509_trust_verify_crl(const struct x509_trust *t, struct x509_crl *crl, struct why *why)
{
    struct why found = WHY_INIT;

    if (signer_find(t->anchors, t->n_anchors, crl, &found) != OK &&
        signer_find(t->intermediates, t->n_intermediates, crl, &found) != OK)
        return why_set(why, ERR_DENIED, "%s", found.text[0] != '\0' ? found.text : "no certificate of the CRL's issuer");
    return OK;
}

enum err
x509_trust_add_crl(struct x509_trust *t, struct x509_crl *crl, struct why *why)
{
    enum err e;

    CHECK(crl->kept);
    if ((e = x509_trust_verify_crl(t, crl, why)) != OK)
        return e;
    t->crls = mem_realloc_array(t->crls, t->n_crls + 1, sizeof(struct x509_crl *));
    t->crls[t->n_crls++] = x509_crl_ref(crl);
    return OK;
}
