/* qr: one path, one rectangle per run of dark modules in a line. */
#include "mairie-connector/town/qr.h"

#include <qrencode.h>

#define QUIET 4

static void
qr_freep(QRcode **p)
{
    QRcode_free(*p);
}

static void
line(struct buf *out, const unsigned char *modules, int width, int y)
{
    for (int x = 0; x < width; x++) {
        int run = 0;

        while (x + run < width && (modules[y * width + x + run] & 1) != 0)
            run++;
        if (run > 0)
            buf_addf(out, "M%d %dh%dv1h-%dz", x, y, run, run);
        x += run;
    }
}

enum err
qr_svg(const char *text, struct buf *out)
{
    AUTO(qr_freep) QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    int size;

    if (code == NULL)
        return ERR_INPUT;
    size = code->width + 2 * QUIET;
    buf_addf(out, "<svg viewBox=\"-%d -%d %d %d\" width=\"113\" height=\"113\" role=\"img\" aria-label=\"mailto\">"
                  "<path d=\"", QUIET, QUIET, size, size);
    for (int y = 0; y < code->width; y++)
        line(out, code->data, code->width, y);
    buf_add_lit(out, "\"/></svg>");
    return buf_ok(out) ? OK : ERR_INPUT;
}
