/* engine: starts libxml2 and xmlsec1 once per process, silent, without a keys manager and without loading anything. */
#ifndef IDP_SAML_ENGINE_H
#define IDP_SAML_ENGINE_H

/* Any thread, any number of times. Panics when the libraries do not fit: there is no way on. */
void saml_engine_start(void);

#endif
