/* qr: a QR code as inline SVG (libqrencode behind this fence). */
#ifndef MAIRIE_TOWN_QR_H
#define MAIRIE_TOWN_QR_H

#include "base/core/buf.h"

/* Appends the picture of text, level M, with its quiet zone. ERR_INPUT: too long for a code. */
MUST_USE enum err qr_svg(const char *text, struct buf *out);

#endif
