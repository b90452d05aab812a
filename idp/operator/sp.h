/* sp: the command `beffroi-idp sp`; see sp.c. */
#ifndef IDP_OPERATOR_SP_H
#define IDP_OPERATOR_SP_H

int saml_sp_command(int argc, char **argv);

#endif
