/* engine: see engine.h. The libraries are never told to stop: a process that used them ends with them. */
#include "idp/saml/engine.h"

#include <pthread.h>

#include <libxml/parser.h>
#include <libxml/xmlIO.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/io.h>
#include <xmlsec/xmlsec.h>

#include "base/core/mem.h"

/* Nothing that a document names is opened: the parsers have no loader, xmlsec1 has no input callback. */
static xmlParserInput *
load_nothing(const char *url, const char *id, xmlParserCtxt *ctxt)
{
    (void)url;
    (void)id;
    (void)ctxt;
    return NULL;
}

static void
say_nothing(const char *file, int line, const char *func, const char *object, const char *subject, int reason,
            const char *msg)
{
    (void)file;
    (void)line;
    (void)func;
    (void)object;
    (void)subject;
    (void)reason;
    (void)msg;
}

static void
start(void)
{
    xmlInitParser();
    xmlSetExternalEntityLoader(load_nothing);
    CHECK(xmlSecInit() == 0);
    CHECK(xmlSecCheckVersion() == 1);
    CHECK(xmlSecCryptoAppInit(NULL) == 0);
    CHECK(xmlSecCryptoInit() == 0);
    xmlSecIOCleanupCallbacks();
    xmlSecErrorsSetCallback(say_nothing);
}

void
saml_engine_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    CHECK(pthread_once(&once, start) == 0);
}
