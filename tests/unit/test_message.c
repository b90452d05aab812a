/* message: each row is a mail as an MTA delivers it; what is not said in a row is as in the good mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/core/clock.h"
#include "base/core/text.h"
#include "base/mail/message.h"

#define ID "mx.beffroi.example"
#define CODE "G6J7-2QGR-RB3K"
#define FROM "From: Jeanne Dupont <jeanne@Mail.Example.FR>\n"
#define SUBJ "Subject: " CODE "\n"
#define MID "Message-ID: <1@mail.example.fr>\n"
#define TEXT "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
#define JEANNE "jeanne@mail.example.fr"

static int
setup(void **state)
{
    *state = arena_new(64 << 10);
    return 0;
}

static int
teardown(void **state)
{
    arena_free(*state);
    return 0;
}

struct row {
    const char *label;
    const char *raw;
    const char *return_path;      /* NULL: the good one */
    const char *from;             /* NULL: expected to be NULL */
    const char *subject;
    const char *text;             /* NULL: not looked at */
    const char *automatic_why;    /* NULL: a person */
    enum mail_dmarc dmarc;
};

static void
row_check(const struct row *r, struct arena *a)
{
    struct mail_message m;
    struct why why = WHY_INIT;
    enum err e;

    arena_reset(a);
    e = mail_parse(str_of(r->raw), r->return_path == NULL ? JEANNE : r->return_path, ID, a, &m, &why);
    if (e != OK)
        fail_msg("%s: %s %s", r->label, err_name(e), why.text);
    if ((m.from == NULL) != (r->from == NULL) || (m.from != NULL && strcmp(m.from, r->from) != 0))
        fail_msg("%s: from is [%s], not [%s]", r->label, m.from, r->from);
    if (r->subject != NULL && strcmp(m.subject, r->subject) != 0)
        fail_msg("%s: subject is [%s], not [%s]", r->label, m.subject, r->subject);
    if (r->text != NULL && strcmp(m.text, r->text) != 0)
        fail_msg("%s: text is [%s], not [%s]", r->label, m.text, r->text);
    if (m.automatic != (r->automatic_why != NULL) ||
        (m.automatic && strcmp(m.automatic_why, r->automatic_why) != 0))
        fail_msg("%s: automatic is %d [%s], not [%s]", r->label, m.automatic, m.automatic_why, r->automatic_why);
    if (m.dmarc != r->dmarc)
        fail_msg("%s: dmarc is %d, not %d", r->label, (int)m.dmarc, (int)r->dmarc);
    assert_false(m.too_large);
    assert_true(text_is_utf8(str_of(m.subject)) && text_is_utf8(str_of(m.text)));
}

static void
rows_check(const struct row *rows, size_t n, struct arena *a)
{
    static const struct row good = { "the good mail", FROM SUBJ MID TEXT "\nmerci\n", NULL, JEANNE, CODE, "merci", NULL,
                                     MAIL_DMARC_NONE };

    for (size_t i = 0; i < n; i++) {
        row_check(&good, a);
        row_check(&rows[i], a);
    }
    row_check(&good, a);
}

/* --- A-25: the From header, exactly one mailbox ------------------------------------------------------ */

static const struct row from_rows[] = {
    { "bare address", "From: jeanne@mail.example.fr\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "angle only", "From: <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "quoted name with comma", "From: \"Dupont, Jeanne\" <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "quoted name with an address", "From: \"chef@ville.fr\" <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "encoded name", "From: =?UTF-8?Q?Jos=C3=A9_=40?= <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "raw 8-bit name", "From: Jos\xe9 <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "comment after", "From: jeanne@mail.example.fr (Jeanne (du bourg))\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "folded", "From: Jeanne\n Dupont\n\t<jeanne@mail.example.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "CRLF mail", "From: jeanne@mail.example.fr\r\nSubject: " CODE "\r\n\r\nmerci\r\n", NULL, JEANNE, CODE, "merci", NULL, 0 },
    { "Reply-To is ignored", FROM "Reply-To: autre@x.fr\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "Sender is ignored", FROM "Sender: autre@x.fr\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "no From", SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "two mailboxes", "From: jeanne@mail.example.fr, a@b.fr\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "two From fields", FROM "From: a@b.fr\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "two equal From fields", FROM FROM SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "second From in other case and with a space", FROM "fROM : a@b.fr\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "two angles", "From: <a@b.fr> <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "address as unquoted name", "From: a@b.fr <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "something behind", "From: <jeanne@mail.example.fr> a@b.fr\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "group", "From: amis: jeanne@mail.example.fr;\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "empty group", "From: undisclosed-recipients:;\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "null address", "From: <>\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "open quote", "From: \"Jeanne <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "open comment", "From: (Jeanne <jeanne@mail.example.fr>\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "source route", "From: <@a.fr:jeanne@mail.example.fr>\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "quoted local part", "From: \"a b\"@mail.example.fr\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "space in the address", "From: <jeanne @mail.example.fr>\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
    { "address literal", "From: jeanne@[127.0.0.1]\n" SUBJ "\n", NULL, NULL, CODE, NULL, NULL, 0 },
};

/* --- subjects (RFC 2047, whole and broken) ----------------------------------------------------------- */

static const struct row subject_rows[] = {
    { "absent", FROM "\n", NULL, JEANNE, "", NULL, NULL, 0 },
    { "Q, utf-8, non-breaking hyphen", FROM "Subject: =?UTF-8?Q?G6J7=E2=80=912QGR=E2=80=91RB3K?=\n\n", NULL, JEANNE,
      "G6J7\xe2\x80\x91" "2QGR\xe2\x80\x91RB3K", NULL, NULL, 0 },
    { "B, iso-8859-1", FROM "Subject: =?iso-8859-1?B?RzZKNy0yUUdSLVJCM0sg6Q==?=\n\n", NULL, JEANNE, CODE " \xc3\xa9", NULL, NULL, 0 },
    { "B without padding", FROM "Subject: =?utf-8?B?RzZKNy0yUUdSLVJCM0s?=\n\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "two words, the space between goes", FROM "Subject: =?utf-8?Q?G6J7-2Q?= =?utf-8?Q?GR-RB3K?=\n\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "a character split over two words", FROM "Subject: =?utf-8?Q?G6J7-2QGR-RB3K_=C3?=\n =?utf-8?Q?=A9?=\n\n", NULL, JEANNE,
      CODE " \xc3\xa9", NULL, NULL, 0 },
    { "two padded words", FROM "Subject: =?utf-8?B?RzZKNy0=?=\n =?utf-8?B?MlFHUi1SQjNL?=\n\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "words of two charsets", FROM "Subject: =?utf-8?Q?=C3=A9?= =?iso-8859-1?Q?=E9?=  =?utf-8?B?w6k=?=\n\n", NULL, JEANNE,
      "\xc3\xa9\xc3\xa9\xc3\xa9", NULL, NULL, 0 },
    { "words and text", FROM "Subject: a  =?utf-8?Q?b?= c =?utf-8?Q?d_e?=f\n\n", NULL, JEANNE, "a  b c d ef", NULL, NULL, 0 },
    { "a language in the word", FROM "Subject: =?utf-8*fr?Q?=C3=A9?=\n\n", NULL, JEANNE, "\xc3\xa9", NULL, NULL, 0 },
    { "no words", FROM "Subject: =? =?utf-8?= =?utf-8?Q =?x?Z?a?= a?=\n\n", NULL, JEANNE, "=? =?utf-8?= =?utf-8?Q =?x?Z?a?= a?=", NULL, NULL, 0 },
    { "broken Q and B", FROM "Subject: =?utf-8?Q?a=ZZ=4?= x =?utf-8?B?RzZ*KN-y0?=\n\n", NULL, JEANNE, "a=ZZ=4 x G6J7-", NULL, NULL, 0 },
    { "folded", FROM "Subject: Code :\n G6J7-2QGR-RB3K\n\tmerci\n\n", NULL, JEANNE, "Code : G6J7-2QGR-RB3K merci", NULL, NULL, 0 },
    { "raw utf-8", FROM "Subject: RE : TR: g6j7\xe2\x80\x94" "2qgr\xe2\x80\x94rb3k\n\n", NULL, JEANNE,
      "RE : TR: g6j7\xe2\x80\x94" "2qgr\xe2\x80\x94rb3k", NULL, NULL, 0 },
    { "raw windows-1252", FROM "Subject: \xab" CODE "\xbb\n\n", NULL, JEANNE, "\xc2\xab" CODE "\xc2\xbb", NULL, NULL, 0 },
    { "full width", FROM "Subject: =?UTF-8?B?77yn77yW77yq77yX?=\n\n", NULL, JEANNE,
      "\xef\xbc\xa7\xef\xbc\x96\xef\xbc\xaa\xef\xbc\x97", NULL, NULL, 0 },
    { "decomposed becomes NFC", FROM "Subject: e\xcc\x81t\xc3\xa9\n\n", NULL, JEANNE, "\xc3\xa9t\xc3\xa9", NULL, NULL, 0 },
    { "encoded line breaks", FROM "Subject: =?utf-8?Q?a=0D=0ABcc:_x?=\n\n", NULL, JEANNE, "a  Bcc: x", NULL, NULL, 0 },
    { "direction overrides go", FROM "Subject: =?utf-8?Q?=E2=80=AEG6J7=E2=81=A9-2QGR?=\n\n", NULL, JEANNE, "G6J7-2QGR", NULL, NULL, 0 },
    { "the first of two counts", FROM SUBJ "Subject: autre\n\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "unknown charset keeps ASCII", FROM "Subject: =?x-nothing?Q?" CODE "?=\n\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "space inside Q", FROM "Subject: =?utf-8?Q?G6J7 2QGR RB3K?=\n\n", NULL, JEANNE, "G6J7 2QGR RB3K", NULL, NULL, 0 },
    { "iso-2022-jp, KOI8-R", FROM "Subject: =?koi8-r?Q?=D0?= " CODE "\n\n", NULL, JEANNE, "\xd0\xbf " CODE, NULL, NULL, 0 },
};

/* --- P-041: automatic mail --------------------------------------------------------------------------- */

static const struct row automatic_rows[] = {
    { "null return path", FROM SUBJ "\n", "", JEANNE, CODE, NULL, "null return path", 0 },
    { "null Return-Path field", "Return-Path: <>\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, "null return path", 0 },
    { "auto-replied", FROM "Auto-Submitted: auto-replied (vacation)\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "Auto-Submitted", 0 },
    { "auto-generated", FROM "auto-submitted:auto-generated; x=1\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "Auto-Submitted", 0 },
    { "Auto-Submitted: no", FROM "Auto-Submitted: No (a person)\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "Precedence bulk", FROM "Precedence: bulk\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "Precedence", 0 },
    { "Precedence list", FROM "Precedence: List\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "Precedence", 0 },
    { "Precedence junk", FROM "Precedence: junk\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "Precedence", 0 },
    { "Precedence first-class", FROM "Precedence: first-class\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "List-Id", FROM "List-Id: <x.y.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "List-*", 0 },
    { "List-Unsubscribe", FROM "LIST-UNSUBSCRIBE: <mailto:x@y.fr>\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "List-*", 0 },
    { "X-Auto-Response-Suppress", FROM "X-Auto-Response-Suppress: OOF, AutoReply\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "X-Auto-Response-Suppress", 0 },
    { "X-Autoreply", FROM "X-Autoreply: yes\n" SUBJ "\n", NULL, JEANNE, CODE, NULL, "X-Autoreply", 0 },
    { "report", FROM SUBJ "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b--\n", NULL, JEANNE, CODE, NULL, "multipart/report", 0 },
    { "mailer-daemon", "From: MAILER-DAEMON@mx.example.fr\n" SUBJ "\n", NULL, "MAILER-DAEMON@mx.example.fr", CODE, NULL, "mailer daemon", 0 },
    { "no-reply", "From: No-Reply@mx.example.fr\n" SUBJ "\n", NULL, "No-Reply@mx.example.fr", CODE, NULL, "no-reply sender", 0 },
    { "ne-pas-repondre", "From: ne-pas-repondre@impots.example.fr\n" SUBJ "\n", NULL, "ne-pas-repondre@impots.example.fr", CODE, NULL, "no-reply sender", 0 },
    { "list owner as return path", FROM SUBJ "\n", "owner-liste@x.fr", JEANNE, CODE, NULL, "list address", 0 },
    { "bounces as return path", FROM SUBJ "\n", "liste-bounces@x.fr", JEANNE, CODE, NULL, "list address", 0 },
    { "a person called Bounceur", "From: bounceur@x.fr\n" SUBJ "\n", NULL, "bounceur@x.fr", CODE, NULL, NULL, 0 },
};

/* --- RFC 8601: whose word on DMARC counts ------------------------------------------------------------ */

#define AR "Authentication-Results: "
static const struct row dmarc_rows[] = {
    { "pass", AR ID "; dmarc=pass header.from=mail.example.fr\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_PASS },
    { "version, comments, folding, other case", AR "MX.beffroi.EXAMPLE (the door) 1;\n spf=pass smtp.mailfrom=x.fr;\n\tDMARC (x) = Pass (p=none dis=none) header.from=Mail.Example.fr\n"
      FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_PASS },
    { "pass without header.from", AR ID "; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_PASS },
    { "pass for another domain", AR ID "; dmarc=pass header.from=x.fr\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "fail", AR ID "; dmarc=fail header.from=mail.example.fr\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "temperror", AR ID "; dmarc=temperror\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "none", AR ID "; dmarc=none\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "no method at all", AR ID "; none\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "other methods only", AR ID "; dkim=pass header.d=mail.example.fr; spf=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "another server's word", AR "mx.evil.example; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "an id that begins like ours", AR ID ".evil.example; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "our id in a comment", AR "(" ID ") evil.example; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "ours fail, a spoofed one below", AR ID "; dmarc=fail\n" AR ID "; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "ours without dmarc, a spoofed one below", AR ID "; spf=none\nReceived: x\n" AR ID "; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "another's above, ours below it", AR "x.fr; dmarc=fail\n" AR ID "; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_PASS },
    { "pass in a quoted reason", AR ID "; spf=fail reason=\"; dmarc=pass\"; dmarc=fail\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "pass in a comment", AR ID "; spf=fail (; dmarc=pass ); dmarc=none\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "pass as a property", AR ID "; spf=fail dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "both results in one", AR ID "; dmarc=pass; dmarc=fail\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "malformed", AR ID "; dmarc=pass header.from\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "open comment", AR ID "; dmarc=pass (\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "other version", AR ID " 2; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_FAIL },
    { "ARC is not our MTA's word", "ARC-Authentication-Results: i=1; " ID "; dmarc=pass\n" FROM SUBJ "\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
    { "pass in the body", FROM SUBJ "\n" AR ID "; dmarc=pass\n", NULL, JEANNE, CODE, NULL, NULL, MAIL_DMARC_NONE },
};

/* --- the text that the person wrote ------------------------------------------------------------------ */

#define HEAD FROM "Subject: \nMIME-Version: 1.0\n"
static const struct row text_rows[] = {
    { "no Content-Type", FROM SUBJ "\nvoici " CODE "\n", NULL, JEANNE, CODE, "voici " CODE, NULL, 0 },
    { "quoted-printable latin1", HEAD "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n=E9t=E9 G6J7-=\n2QGR\n",
      NULL, JEANNE, "", "\xc3\xa9t\xc3\xa9 G6J7-2QGR", NULL, 0 },
    { "base64", HEAD "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nRzZKNy0yUUdSLVJCM0s=\n", NULL, JEANNE, "", CODE, NULL, 0 },
    { "wrong charset: says ascii, is windows-1252", HEAD "Content-Type: text/plain; charset=us-ascii\n\n\xe9t\xe9\n", NULL, JEANNE, "", NULL, NULL, 0 },
    { "unknown charset", HEAD "Content-Type: text/plain; charset=x-nothing\n\n\xe9t\xe9 A\n", NULL, JEANNE, "", "\xc3\xa9t\xc3\xa9 A", NULL, 0 },
    { "alternative: plain wins", HEAD "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>html</p>\n--b\nContent-Type: text/plain\n\nplain\n--b--\n",
      NULL, JEANNE, "", "plain", NULL, 0 },
    { "mixed, nested", HEAD "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/plain\n\ndedans\n--b--\n--a\nContent-Type: image/png\n\nx\n--a--\n",
      NULL, JEANNE, "", "dedans", NULL, 0 },
    { "attachment is not text", HEAD "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\nContent-Disposition: attachment; filename=x.txt\n\npiece\n--a\nContent-Type: text/plain\n\ntexte\n--a--\n",
      NULL, JEANNE, "", "texte", NULL, 0 },
    { "forwarded message is not text", HEAD "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\nFrom: x@y.fr\nSubject: z\n\ncite\n--a--\n",
      NULL, JEANNE, "", "", NULL, 0 },
    { "boundary that never comes", HEAD "Content-Type: multipart/mixed; boundary=zz\n\n--b\n\nx\n", NULL, JEANNE, "", "", NULL, 0 },
    { "html only", HEAD "Content-Type: text/html; charset=utf-8\n\n<html><head><title>t</title><style>p{}</style></head><body><p>Code&nbsp;: <b>G6J7</b>&#8209;2QGR&#x2011;RB3K</p><p>merci &eacute;</p></body></html>\n",
      NULL, JEANNE, "", "Code\xc2\xa0: G6J7\xe2\x80\x91" "2QGR\xe2\x80\x91RB3K\n\nmerci \xc3\xa9", NULL, 0 },
    { "html quote and signature", HEAD "Content-Type: text/html\n\n<div>moi</div><blockquote>cite <blockquote>deux</blockquote> trois</blockquote><div class=\"gmail_signature\"><div>sig</div></div><div>fin</div>\n",
      NULL, JEANNE, "", NULL, NULL, 0 },
    { "quoted lines", FROM SUBJ "\nmoi\n> cite\n>> deux\n  > trois\nencore\n", NULL, JEANNE, CODE, "moi\nencore", NULL, 0 },
    { "signature", FROM SUBJ "\nmoi\n-- \nJeanne " CODE "\n", NULL, JEANNE, CODE, "moi", NULL, 0 },
    { "signature without its space", FROM SUBJ "\r\nmoi\r\n--\r\nJeanne\r\n", NULL, JEANNE, CODE, "moi", NULL, 0 },
    { "a dash list stays", FROM SUBJ "\n- un\n--- deux\n", NULL, JEANNE, CODE, "- un\n--- deux", NULL, 0 },
    { "a ecrit", FROM SUBJ "\nmoi\nLe lun. 3 nov. 2025 \xc3\xa0 10:42, Mairie <m@v.fr> a \xc3\xa9" "crit :\ncite\n", NULL, JEANNE, CODE, "moi", NULL, 0 },
    { "a ecrit, folded, NBSP", FROM SUBJ "\nmoi\nLe lun. 3 nov. 2025 \xc3\xa0 10:42, Mairie\n<m@v.fr> a\n\xc3\xa9" "crit\xc2\xa0:\n\n> cite\n\napres\n", NULL, JEANNE, CODE, NULL, NULL, 0 },
    { "wrote, answer below the quote", FROM SUBJ "\nOn Mon, 3 Nov 2025, Mairie <m@v.fr> wrote:\n> cite\n\ndessous\n", NULL, JEANNE, CODE, "dessous", NULL, 0 },
    { "Le at the beginning of a sentence stays", FROM SUBJ "\nLe code est " CODE "\nmerci\n", NULL, JEANNE, CODE, "Le code est " CODE "\nmerci", NULL, 0 },
    { "Original Message", FROM SUBJ "\nmoi\n-----Original Message-----\nFrom: x\ncite\n", NULL, JEANNE, CODE, "moi", NULL, 0 },
    { "Message transfere", FROM SUBJ "\nmoi\n-------- Message transf\xc3\xa9r\xc3\xa9 --------\ncite\n", NULL, JEANNE, CODE, "moi", NULL, 0 },
    { "Outlook block", FROM SUBJ "\nmoi\n\nDe : Mairie\nEnvoy\xc3\xa9 : lundi\nObjet : x\ncite\n", NULL, JEANNE, CODE, "moi", NULL, 0 },
    { "Outlook line", FROM SUBJ "\nmoi\n________________________________\nDe : x\ncite\n", NULL, JEANNE, CODE, "moi", NULL, 0 },
    { "empty body", FROM SUBJ "\n", NULL, JEANNE, CODE, "", NULL, 0 },
    { "no body at all", FROM "Subject: " CODE, NULL, JEANNE, CODE, "", NULL, 0 },
    { "controls become spaces", FROM SUBJ "\na\x01" "b\x1b[2J\n", NULL, JEANNE, CODE, "a b [2J", NULL, 0 },
};

#define ROWS_TEST(name, rows)                                                                                          \
    static void name(void **state) { rows_check((rows), ARRAY_LEN(rows), *state); }
ROWS_TEST(test_from, from_rows)
ROWS_TEST(test_subject, subject_rows)
ROWS_TEST(test_automatic, automatic_rows)
ROWS_TEST(test_dmarc, dmarc_rows)
ROWS_TEST(test_text, text_rows)

static void
test_dmarc_without_id(void **state)
{
    struct mail_message m;

    assert_int_equal(mail_parse(STR_LIT(AR ID "; dmarc=pass\n" FROM SUBJ "\n"), JEANNE, NULL, *state, &m, NULL), OK);
    assert_int_equal(m.dmarc, MAIL_DMARC_NONE);
}

static void
test_html_parts(void **state)
{
    struct mail_message m;

    assert_int_equal(mail_parse(str_of(text_rows[11].raw), JEANNE, NULL, *state, &m, NULL), OK);
    assert_non_null(strstr(m.text, "moi"));
    assert_non_null(strstr(m.text, "fin"));
    assert_null(strstr(m.text, "cite"));
    assert_null(strstr(m.text, "trois"));
    assert_null(strstr(m.text, "sig"));
    assert_int_equal(mail_parse(str_of(text_rows[17].raw), JEANNE, NULL, *state, &m, NULL), OK);
    assert_non_null(strstr(m.text, "apres"));
    assert_null(strstr(m.text, "cite"));
    assert_null(strstr(m.text, "crit"));
}

static void
test_message_id(void **state)
{
    static const struct { const char *raw, *id; } rows[] = {
        { FROM MID "\n", "<1@mail.example.fr>" },
        { FROM "Message-Id:\n <a@b>\n\n", "<a@b>" },
        { FROM "\n", "" },
        { FROM "Message-ID: a@b\n\n", "" },
        { FROM "Message-ID: <a b@c>\n\n", "" },
        { FROM MID "Message-ID: <2@x>\n\n", "<1@mail.example.fr>" },
    };
    struct mail_message m;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(mail_parse(str_of(rows[i].raw), JEANNE, NULL, *state, &m, NULL), OK);
        assert_string_equal(m.message_id, rows[i].id);
    }
}

/* --- hostile sizes ----------------------------------------------------------------------------------- */

static void
fill(struct buf *b, const char *head, const char *piece, size_t until)
{
    buf_reset(b);
    buf_adds(b, head);
    while (b->len + strlen(piece) <= until)
        buf_adds(b, piece);
    assert_true(buf_ok(b));
}

static void
test_text_is_cut(void **state)
{
    AUTO(buf_free) struct buf raw = BUF_BOUNDED(8 << 20);
    struct mail_message m;

    fill(&raw, FROM SUBJ TEXT "\nx", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 64 << 10);
    assert_int_equal(mail_parse(buf_view(&raw), JEANNE, NULL, *state, &m, NULL), OK);
    assert_in_range(strlen(m.text), MAIL_TEXT_MAX - 4, MAIL_TEXT_MAX);
    assert_true(text_is_utf8(str_of(m.text)));
    fill(&raw, FROM "Subject: x", "\xc3\xa9", 8000);
    buf_adds(&raw, "\n\n");
    assert_int_equal(mail_parse(buf_view(&raw), JEANNE, NULL, *state, &m, NULL), OK);
    assert_in_range(strlen(m.subject), MAIL_SUBJECT_MAX - 4, MAIL_SUBJECT_MAX);
}

/* P-041: above 1 MiB is never answered, but who sent it is known. */
static void
test_too_large(void **state)
{
    AUTO(buf_free) struct buf raw = BUF_BOUNDED(8 << 20);
    struct mail_message m;

    fill(&raw, FROM SUBJ MID "\n", "0123456789abcde\n", MAIL_RAW_MAX);
    assert_int_equal(mail_parse(buf_view(&raw), JEANNE, NULL, *state, &m, NULL), OK);
    assert_false(m.too_large);
    buf_adds(&raw, "0123456789abcde\n0123456789abcde\n");
    assert_int_equal(mail_parse(buf_view(&raw), JEANNE, NULL, *state, &m, NULL), OK);
    assert_true(m.too_large);
    assert_string_equal(m.from, JEANNE);
    assert_string_equal(m.subject, CODE);
    assert_string_equal(m.text, "");
}

static void
test_refused_shapes(void **state)
{
    static const struct { const char *label, *head, *piece; size_t until; const char *code; } rows[] = {
        { "long header", FROM, "X: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n",
          MAIL_HEADER_MAX + 1000, "mail.header.large" },
        { "long field", FROM "To: ", "a@b,\n ", 40 << 10, "mail.header.field" },
        { "many fields", FROM, "X: y\n", 60 << 10, "mail.header.fields" },
        { "many parts", FROM "Content-Type: multipart/mixed; boundary=b\n\n", "--b\nContent-Type: text/html\n\nx\n", 512 << 10, "mail.mime.parts" },
        { "deep", FROM, "Content-Type: message/rfc822\n\n", 512 << 10, "mail.mime.parts" },
        { "boundaries", FROM "Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\n", 512 << 10, "mail.mime.lines" },
        { "many parameters", FROM "Content-Type: text/plain;\n", " a*1=b;\n", 20 << 10, "mail.mime.field" },
        { "many parameters of a part", FROM "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: inline;\n", " a*1=b;\n", 20 << 10, "mail.mime.field" },
    };
    AUTO(buf_free) struct buf raw = BUF_BOUNDED(8 << 20);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mail_message m = { .from = "untouched" };
        struct why why = WHY_INIT;

        fill(&raw, rows[i].head, rows[i].piece, rows[i].until);
        assert_int_equal(mail_parse(buf_view(&raw), JEANNE, NULL, *state, &m, &why), ERR_INPUT);
        if (strcmp(why.code, rows[i].code) != 0)
            fail_msg("%s: refused as %s", rows[i].label, why.code);
        assert_string_equal(m.from, "untouched");
    }
    {
        struct mail_message m;

        assert_int_equal(mail_parse(STR_LIT("From: a@b.fr\0\n\n"), JEANNE, NULL, *state, &m, NULL), ERR_INPUT);
        assert_int_equal(mail_parse(STR_NULL, JEANNE, NULL, *state, &m, NULL), ERR_INPUT);
    }
}

/* Just below every ceiling the cost must stay small: the time is asserted loosely, for slow machines under sanitizers. */
static void
test_hostile_but_legal_is_quick(void **state)
{
    static const struct { const char *label, *head, *piece; size_t until; } rows[] = {
        { "addresses", FROM "To: ", "a@b,\n ", 32 << 10 },
        { "To fields", FROM, "To: a@b.fr, c@d.fr, e@f.fr, g@h.fr, i@j.fr, k@l.fr, m@n.fr, o@p.fr, q@r.fr, s@t.fr, u@v.fr, w@x.fr\n", 95000 },
        { "unclosed tags", FROM "Content-Type: text/html\n\n", "<a x=\"", MAIL_RAW_MAX },
        { "unclosed tags without quotes", FROM "Content-Type: text/html\n\n", "<a<", MAIL_RAW_MAX },
        { "nested quotes", FROM "Content-Type: text/html\n\n", "<blockquote>", MAIL_RAW_MAX },
        { "unclosed comments", FROM "Content-Type: text/html\n\n", "<!-", MAIL_RAW_MAX },
        { "attributions", FROM "\n", "On Mon\n", MAIL_RAW_MAX },
        { "outlook", FROM "\n", "De : x\n", MAIL_RAW_MAX },
        { "wide spaces", FROM "\n", "\xc2\xa0*", MAIL_RAW_MAX },
        { "encoded words", FROM "Subject: ", "=?utf-8?q?=c3?= ", 16000 },
        { "comments in From", "From: ", "(", 16000 },
        { "nested multiparts", FROM "Content-Type: multipart/mixed; boundary=b\n\n", "--b\nContent-Type: multipart/mixed; boundary=b\n\n", 9000 },
    };
    AUTO(buf_free) struct buf raw = BUF_BOUNDED(8 << 20);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mail_message m;
        utime from = clock_monotonic();

        fill(&raw, rows[i].head, rows[i].piece, rows[i].until);
        arena_reset(*state);
        assert_int_equal(mail_parse(buf_view(&raw), JEANNE, ID, *state, &m, NULL), OK);
        if (clock_monotonic() - from > 10 * USEC_PER_SEC)
            fail_msg("%s: took %lld ms", rows[i].label, (long long)((clock_monotonic() - from) / 1000));
        if (getenv("VERBOSE") != NULL)
            print_message("%s: %lld ms\n", rows[i].label, (long long)((clock_monotonic() - from) / 1000));
    }
}

static void
test_small_arena(void **state)
{
    struct arena *tiny = arena_new(16);
    struct mail_message m;
    enum err e = mail_parse(STR_LIT(FROM SUBJ MID "\nmerci beaucoup et a bientot\n"), JEANNE, NULL, tiny, &m, NULL);

    (void)state;
    arena_free(tiny);
    assert_int_equal(e, ERR_INPUT);
}

/* --- out --------------------------------------------------------------------------------------------- */

static const struct mail_draft draft = {
    .from = "activation@beffroi.example", .from_name = "Ville d\xe2\x80\x99\xc3\x89tampes, \xc3\xa9tat civil", .to = JEANNE,
    .subject = "Votre compte : derni\xc3\xa8re \xc3\xa9tape",
    .text = "Bonjour,\n.\n..deux\nFrom la mairie\nhttps://idp.example/a/0123456789012345678901234567890123456789012345678901234567890123456789?x=1\n\xc3\xa9\n",
    .message_id = "<k1.2@beffroi.example>", .in_reply_to = "<1@mail.example.fr>", .lang = "fr",
    .date = INT64_C(1763764445) * 1000000,
};

static void
test_build(void **state)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(64 << 10);
    struct mail_message m;
    struct why why = WHY_INIT;
    size_t line = 0;

    if (mail_build(&draft, &out, &why) != OK)
        fail_msg("%s", why.text);
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)out.data[i];

        assert_true(c < 0x80);
        assert_true(c != '\n' || (i > 0 && out.data[i - 1] == '\r'));
        assert_true(c != '\r' || out.data[i + 1] == '\n');
        line = c == '\n' ? 0 : line + 1;
        assert_true(line <= 998);
    }
    assert_non_null(strstr(out.data, "\r\nAuto-Submitted: auto-replied\r\n"));
    assert_non_null(strstr(out.data, "\r\nContent-Language: fr\r\n"));
    assert_non_null(strstr(out.data, "\r\nContent-Transfer-Encoding: quoted-printable\r\n"));
    assert_non_null(strstr(out.data, "\r\nMIME-Version: 1.0\r\n"));
    assert_non_null(strstr(out.data, "\r\nIn-Reply-To: <1@mail.example.fr>\r\n"));
    assert_non_null(strstr(out.data, "\r\nReferences: <1@mail.example.fr>\r\n"));
    assert_non_null(strstr(out.data, "Date: Fri, 21 Nov 2025 22:34:05 +0000\r\n"));
    assert_null(strstr(out.data, "\r\nFrom la mairie"));
    assert_int_equal(mail_parse(buf_view(&out), draft.from, NULL, *state, &m, &why), OK);
    assert_string_equal(m.from, draft.from);
    assert_string_equal(m.subject, draft.subject);
    assert_string_equal(m.message_id, draft.message_id);
    assert_memory_equal(m.text, draft.text, strlen(draft.text) - 1);
    assert_true(m.automatic);              /* ours is never answered by ours */
}

/* Names and subjects of every kind come back as they went, in words of at most 75 bytes and lines of at most 78. */
static void
test_build_words(void **state)
{
    static const char *const values[] = {
        "x", "Ville de Valbourg", "Ville \"haute\" \\ basse, <a@b.fr>", "=?utf-8?Q?a?=", "\xc3\xa9", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac",
        "Une longue phrase sans accent qui ne tient pas sur une seule ligne d'un courrier, et bien au-del\xc3\xa0",
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\xf0\x9f\x8f\x9b" "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"),
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(64 << 10);
        struct mail_draft d = draft;
        struct mail_message m;

        d.subject = d.from_name = values[i];
        arena_reset(*state);
        assert_int_equal(mail_build(&d, &out, NULL), OK);
        for (struct str rest = buf_view(&out); rest.p != NULL;)
            assert_true(str_split(rest, '\n', &rest).n <= 79);        /* with its CR */
        assert_int_equal(mail_parse(buf_view(&out), draft.from, NULL, *state, &m, NULL), OK);
        assert_string_equal(m.subject, values[i]);
        assert_string_equal(m.from, draft.from);
    }
}

static void
test_build_refuses(void **state)
{
    struct mail_draft bad[16];
    size_t n = 0;

    (void)state;
#define BAD(field, value) (bad[n] = draft, bad[n++].field = (value))
    BAD(subject, "a\r\nBcc: x@y.fr");
    BAD(subject, "a\nb");
    BAD(subject, "\xff");
    BAD(subject, NULL);
    BAD(from_name, "a\nBcc: x@y.fr");
    BAD(to, "a@b.fr, c@d.fr");
    BAD(to, "a@b.fr\r\nBcc: x@y.fr");
    BAD(from, "activation");
    BAD(message_id, "<a@b>\r\nX: y");
    BAD(message_id, "a@b");
    BAD(message_id, "<a@b> <c@d>");
    BAD(in_reply_to, "<a\n@b>");
    BAD(lang, "fr\nX: y");
    BAD(text, "\xc3");
    BAD(text, "a\x01");
    BAD(date, -1);
    for (size_t i = 0; i < n; i++) {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(64 << 10);

        assert_int_equal(mail_build(&draft, &out, NULL), OK);
        buf_reset(&out);
        if (mail_build(&bad[i], &out, NULL) != ERR_INPUT || out.len != 0)
            fail_msg("bad draft %zu was built", i);
    }
    {
        AUTO(buf_free) struct buf out = BUF_BOUNDED(100);

        assert_int_equal(mail_build(&draft, &out, NULL), ERR_INPUT);
        assert_int_equal(out.len, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from), cmocka_unit_test(test_subject), cmocka_unit_test(test_automatic),
        cmocka_unit_test(test_dmarc), cmocka_unit_test(test_text), cmocka_unit_test(test_dmarc_without_id),
        cmocka_unit_test(test_html_parts), cmocka_unit_test(test_message_id), cmocka_unit_test(test_text_is_cut),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_refused_shapes),
        cmocka_unit_test(test_hostile_but_legal_is_quick), cmocka_unit_test(test_small_arena),
        cmocka_unit_test(test_build), cmocka_unit_test(test_build_words), cmocka_unit_test(test_build_refuses),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
