/* tool: runs another program on files of the test's own folder and looks at how it ended and what it said. */
#ifndef TESTS_UNIT_TOOL_H
#define TESTS_UNIT_TOOL_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/core/buf.h"

struct tool_folder {
    char path[64];
    char name[96]; /* of the last file asked for */
};

static inline void
tool_folder_make(struct tool_folder *f)
{
    snprintf(f->path, sizeof f->path, "/tmp/beffroi-test-XXXXXX");
    if (mkdtemp(f->path) == NULL)
        panic("mkdtemp");
}

static inline const char *
tool_file(struct tool_folder *f, const char *name)
{
    snprintf(f->name, sizeof f->name, "%s/%s", f->path, name);
    return f->name;
}

static inline void
tool_write(struct tool_folder *f, const char *name, struct str content)
{
    FILE *file = fopen(tool_file(f, name), "w");

    if (file == NULL || fwrite(content.p, 1, content.n, file) != content.n || fclose(file) != 0)
        panic("cannot write %s", f->name);
}

/* Removes the files named and the folder. */
static inline void
tool_folder_remove(struct tool_folder *f, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)unlink(tool_file(f, names[i]));
    (void)rmdir(f->path);
}

/* Runs argv (found in PATH); its standard output goes to out, its standard error too when err_too. Returns the exit
 * status, 127 when it cannot be started, 128 and more when it was killed. */
static inline int
tool_run(const char *const *argv, bool err_too, struct buf *out)
{
    int pipe_fd[2], status;
    char chunk[4096];
    ssize_t got;
    pid_t pid;

    if (pipe(pipe_fd) != 0 || (pid = fork()) < 0)
        panic("fork");
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 0);
        dup2(pipe_fd[1], 1);
        dup2(err_too ? pipe_fd[1] : null, 2);
        close(pipe_fd[0]);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(pipe_fd[1]);
    while ((got = read(pipe_fd[0], chunk, sizeof chunk)) > 0)
        buf_add(out, chunk, (size_t)got);
    close(pipe_fd[0]);
    if (waitpid(pid, &status, 0) != pid)
        panic("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#define TOOL(err_too, out, ...) tool_run((const char *const[]){__VA_ARGS__, NULL}, (err_too), (out))

/* The OASIS schemas (packages opensaml-schemas, xmltooling-schemas) name those of W3C by their public addresses; this
 * catalogue, written to catalog.xml of the folder, brings them home. */
#define SAML_SCHEMAS "/usr/share/xml/opensaml/"
static inline void
tool_schema_catalog(struct tool_folder *f)
{
    static const char catalog[] =
        "<catalog xmlns=\"urn:oasis:names:tc:entity:xmlns:xml:catalog\">"
        "<system systemId=\"http://www.w3.org/TR/2002/REC-xmldsig-core-20020212/xmldsig-core-schema.xsd\" "
        "uri=\"file:///usr/share/xml/xmltooling/xmldsig-core-schema.xsd\"/>"
        "<system systemId=\"http://www.w3.org/TR/2002/REC-xmlenc-core-20021210/xenc-schema.xsd\" "
        "uri=\"file:///usr/share/xml/xmltooling/xenc-schema.xsd\"/>"
        "<system systemId=\"http://www.w3.org/2001/xml.xsd\" uri=\"file:///usr/share/xml/xmltooling/xml.xsd\"/>"
        "</catalog>";

    tool_write(f, "catalog.xml", STR_LIT(catalog));
    setenv("XML_CATALOG_FILES", tool_file(f, "catalog.xml"), 1);
}

#endif
