/* page_qr: a QR code as inline SVG; libqrencode behind this fence. */
#include "base/page/page.h"

#include <qrencode.h>

static void
code_free(QRcode **code)
{
    QRcode_free(*code);
}

/* One path for all dark squares: a horizontal bar for each run of them. */
static void
path_write(const QRcode *code, struct buf *out)
{
    for (int y = 0; y < code->width; y++) {
        const unsigned char *row = code->data + (size_t)y * (size_t)code->width;

        for (int x = 0; x < code->width;) {
            int run = 0;

            while (x + run < code->width && (row[x + run] & 1) != 0)
                run++;
            if (run > 0)
                buf_addf(out, "M%d %dh%dv1h-%dz", x, y, run, run);
            x += run > 0 ? run : 1;
        }
    }
}

enum err
page_qr(const char *text, const char *label, struct buf *out, struct why *why)
{
    AUTO(code_free) QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);

    if (code == NULL)
        return why_set(why, ERR_INPUT, "no QR code holds this text");
    buf_addf(out, "<svg viewBox=\"-4 -4 %d %d\" width=\"128\" height=\"128\" role=\"img\" aria-label=\"", code->width + 8,
             code->width + 8);
    html_escape(out, str_of(label));
    buf_adds(out, "\"><rect x=\"-4\" y=\"-4\" width=\"100%\" height=\"100%\" fill=\"#fff\"/><path fill=\"#000\" d=\"");
    path_write(code, out);
    buf_adds(out, "\"/></svg>");
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "the QR code is larger than %zu bytes", out->max);
}
