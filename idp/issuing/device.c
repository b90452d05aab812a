/* device: which file suits which device (P-053), and Apple's configuration profile. */
#include "idp/issuing/issuing-internal.h"

#include "base/core/enc.h"
#include "base/core/rand.h"

const struct device devices[] = {
    { "firefox", "issuing.device.firefox",
      { "issuing.steps.firefox.1", "issuing.steps.firefox.2", "issuing.steps.firefox.3", "issuing.steps.firefox.4" },
      PKCS12_AES, "p12", "application/x-pkcs12", false },
    { "windows", "issuing.device.windows",
      { "issuing.steps.windows.1", "issuing.steps.windows.2", "issuing.steps.windows.3", "issuing.steps.windows.4" },
      PKCS12_AES, "pfx", "application/x-pkcs12", false },
    { "macos", "issuing.device.macos",
      { "issuing.steps.macos.1", "issuing.steps.macos.2", "issuing.steps.macos.3" }, PKCS12_3DES, "p12",
      "application/x-pkcs12", false },
    { "ios", "issuing.device.ios",
      { "issuing.steps.ios.1", "issuing.steps.ios.2", "issuing.steps.ios.3", "issuing.steps.ios.4" }, PKCS12_3DES,
      "mobileconfig", "application/x-apple-aspen-config", true },
    { "android", "issuing.device.android",
      { "issuing.steps.android.1", "issuing.steps.android.2", "issuing.steps.android.3" }, PKCS12_3DES, "p12",
      "application/x-pkcs12", false },
    { "unknown", "issuing.device.unknown",
      { "issuing.steps.unknown.1", "issuing.steps.unknown.2", "issuing.steps.unknown.3" }, PKCS12_3DES, "p12",
      "application/x-pkcs12", false },
};
const size_t ndevices = ARRAY_LEN(devices);

const struct device *
device_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < ndevices; i++)
        if (strcmp(devices[i].name, name) == 0)
            return &devices[i];
    return NULL;
}

/* In this order: a telephone's browser has the words of others in its name, Firefox on a telephone uses the system's store. An
 * iPad calls itself a Macintosh: its holder changes the choice. */
static const struct {
    const char *word, *device;
} agents[] = {
    { "iPhone", "ios" }, { "iPad", "ios" }, { "Android", "android" }, { "Firefox/", "firefox" }, { "Windows NT", "windows" },
    { "Macintosh", "macos" },
};

const struct device *
device_guess(const char *user_agent)
{
    for (size_t i = 0; user_agent != NULL && i < ARRAY_LEN(agents); i++)
        if (strstr(user_agent, agents[i].word) != NULL)
            return device_find(agents[i].device);
    return device_find("unknown");
}

static void
xml_text(struct buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '&')
            buf_add_lit(out, "&amp;");
        else if (*s == '<')
            buf_add_lit(out, "&lt;");
        else if (*s == '>')
            buf_add_lit(out, "&gt;");
        else
            buf_addc(out, *s);
    }
}

static void
pair(struct buf *out, const char *key, const char *value)
{
    buf_addf(out, "<key>%s</key><string>", key);
    xml_text(out, value);
    buf_add_lit(out, "</string>\n");
}

/* What both dictionaries say: type, version, identifier, UUID, name. */
static void
payload(struct buf *out, const char *type, const char *identifier, const char *title)
{
    char uuid[UUID_TEXT_LEN + 1];

    rand_uuid(uuid);
    pair(out, "PayloadType", type);
    buf_add_lit(out, "<key>PayloadVersion</key><integer>1</integer>\n");
    pair(out, "PayloadIdentifier", identifier);
    pair(out, "PayloadUUID", uuid);
    pair(out, "PayloadDisplayName", title);
}

void
mobileconfig_write(struct str pkcs12, const char *title, const char *host, struct buf *out)
{
    AUTO(buf_free) struct buf identifier = BUF_BOUNDED(512);

    buf_addf(&identifier, "%s.certificate", host);
    buf_add_lit(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
                     "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n"
                     "<key>PayloadContent</key>\n<array>\n<dict>\n<key>PayloadContent</key><data>");
    base64_encode(out, pkcs12.p, pkcs12.n);
    buf_add_lit(out, "</data>\n<key>PayloadCertificateFileName</key><string>certificat.p12</string>\n");
    payload(out, "com.apple.security.pkcs12", buf_cstr(&identifier), title);
    buf_add_lit(out, "</dict>\n</array>\n");
    buf_adds(&identifier, ".profile");
    payload(out, "Configuration", buf_cstr(&identifier), title);
    buf_add_lit(out, "</dict>\n</plist>\n");
}
