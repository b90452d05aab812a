/*
 * card_module: a PKCS#11 module before SoftHSM's, that makes a token behave as a card in a reader.
 *
 *   BEFFROI_CARD_OUT=FILE   the card is out while FILE exists: the slot is empty and what was open on it is closed
 *   BEFFROI_CARD_PIN=PIN    the module asks for the PIN itself, as the middleware of many cards does in a window of its own:
 *                           the browser sees a token that needs no login. Unset: the browser asks.
 *
 * What is not overridden goes to SoftHSM as it came. For tests of browsers only.
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL "/usr/lib/softhsm/libsofthsm2.so"

static CK_FUNCTION_LIST ours, *real;

static int
card_is_out(void)
{
    const char *file = getenv("BEFFROI_CARD_OUT");

    return file != NULL && access(file, F_OK) == 0;
}

/* A card that is drawn takes its sessions and its login with it. */
static int
card_gone(CK_SLOT_ID slot)
{
    if (!card_is_out())
        return 0;
    real->C_CloseAllSessions(slot);
    return 1;
}

static CK_RV
slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
    const CK_RV rv = real->C_GetSlotInfo(slot, info);

    if (rv != CKR_OK)
        return rv;
    info->flags |= CKF_REMOVABLE_DEVICE;
    if (card_gone(slot))
        info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
    return CKR_OK;
}

static CK_RV
token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv;

    if (card_gone(slot))
        return CKR_TOKEN_NOT_PRESENT;
    rv = real->C_GetTokenInfo(slot, info);
    if (rv == CKR_OK && getenv("BEFFROI_CARD_PIN") != NULL)
        info->flags &= ~(CK_FLAGS)CKF_LOGIN_REQUIRED;
    return rv;
}

static CK_RV
session_open(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
    const char *pin = getenv("BEFFROI_CARD_PIN");
    unsigned char copy[64];
    CK_RV rv;

    if (card_gone(slot))
        return CKR_TOKEN_NOT_PRESENT;
    rv = real->C_OpenSession(slot, flags, application, notify, session);
    if (rv != CKR_OK || pin == NULL || strlen(pin) > sizeof(copy))
        return rv;
    memcpy(copy, pin, strlen(pin));
    rv = real->C_Login(*session, CKU_USER, copy, strlen(pin));
    return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

/* How a browser asks whether the card it knew is still there. */
static CK_RV
session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    const CK_RV rv = real->C_GetSessionInfo(session, info);

    return rv == CKR_OK && card_gone(info->slotID) ? CKR_DEVICE_REMOVED : rv;
}

static CK_RV
sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    CK_SESSION_INFO info;
    const CK_RV rv = session_info(session, &info);

    return rv != CKR_OK ? rv : real->C_SignInit(session, mechanism, key);
}

static CK_RV
function_list(CK_FUNCTION_LIST **ret)
{
    void *library, *symbol;
    CK_C_GetFunctionList get;

    if (real == NULL) {
        library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
        symbol = library == NULL ? NULL : dlsym(library, "C_GetFunctionList");
        if (symbol == NULL)
            return CKR_GENERAL_ERROR;
        memcpy(&get, &symbol, sizeof(get));       /* POSIX lets it travel so, C has no cast for it */
        if (get(&real) != CKR_OK)
            return CKR_GENERAL_ERROR;
        ours = *real;
        ours.C_GetFunctionList = function_list;
        ours.C_GetSlotInfo = slot_info;
        ours.C_GetTokenInfo = token_info;
        ours.C_OpenSession = session_open;
        ours.C_GetSessionInfo = session_info;
        ours.C_SignInit = sign_init;
    }
    *ret = &ours;
    return CKR_OK;
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret)
{
    return function_list(ret);
}
