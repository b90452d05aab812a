/*
 * the strength of the signer as a process: strangers hold no place at its socket, one user's idle connections make way; its memory
 * stays out of swap, or it says why not; nothing is dumped.
 */
#include "tests/integration/signer_support.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/capability.h>

#define STRANGERS 64
#define EACH 16                      /* connections of each: more than there are places */
#define IDLE 200

static int
knock(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, path, strlen(path) + 1);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ? fd : -1;
}

/* The answer to saying nothing: true if the connection ended with a refusal. */
static bool
is_put_out(int fd)
{
    char text[64] = "";
    struct pollfd p = { fd, POLLIN, 0 };
    ssize_t n, all = 0;

    while (poll(&p, 1, 30000) == 1 && (n = recv(fd, text + all, sizeof(text) - 1 - (size_t)all, 0)) > 0)
        all += n;
    return strcmp(text, "refused signer.peer\n") == 0;
}

static void
stranger(const char *path)
{
    if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
        _exit(2);
    for (int i = 0; i < EACH; i++) {
        int fd = knock(path);

        for (int tries = 0; fd < 0 && tries < 1000; tries++) {       /* the queue of those who knock may be full */
            usleep(10 * 1000);
            fd = knock(path);
        }
        if (!is_put_out(fd))
            _exit(1);
    }
    _exit(0);
}

static void
strangers(void **state)
{
    struct fixture *f = *state;
    pid_t children[STRANGERS];
    char certificate[37];

    if (geteuid() != 0)
        skip();
    signer_start(f);
    unlock(f);
    for (int i = 0; i < STRANGERS; i++)
        if ((children[i] = fork()) == 0)
            stranger(f->socket);
    assert_ok(issue(f, asked(f, "citizen-card", "1001", SUPPORT_CARD), certificate), &f->w.why);
    for (int i = 0; i < STRANGERS; i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_ok(issue(f, asked(f, "citizen-card", "1002", SUPPORT_CARD), certificate), &f->w.why);
}

/* Those that rest longest go; a caller whose connection went opens it again. */
static void
idle_connections(void **state)
{
    struct fixture *f = *state;
    struct pollfd fds[IDLE];
    char certificate[37];
    int ended = 0;

    signer_start(f);
    unlock(f);
    for (int i = 0; i < IDLE; i++) {
        fds[i] = (struct pollfd){ .events = POLLIN };
        while ((fds[i].fd = knock(f->socket)) < 0)
            usleep(10 * 1000);
    }
    assert_ok(issue(f, asked(f, "citizen-card", "1001", SUPPORT_CARD), certificate), &f->w.why);
    assert_true(poll(fds, IDLE, 30000) > 0);
    for (int i = 0; i < IDLE; i++) {
        ended += fds[i].revents != 0;
        close(fds[i].fd);
    }
    assert_in_range(ended, 1, IDLE - 1);
    assert_ok(issue(f, asked(f, "citizen-card", "1002", SUPPORT_CARD), certificate), &f->w.why);
}

/* --- its memory -------------------------------------------------------------------------------------------------------------- */

/* A line of /proc/PID/NAME that begins so. */
static void
proc_line(pid_t pid, const char *name, const char *begins, char *out, size_t size)
{
    char path[64];
    FILE *in;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    assert_non_null(in = fopen(path, "r"));
    while (fgets(out, (int)size, in) != NULL && strncmp(out, begins, strlen(begins)) != 0)
        ;
    fclose(in);
    assert_int_equal(strncmp(out, begins, strlen(begins)), 0);
}

/* Without the rights that let root pass every limit. */
static pid_t
start_poor(struct fixture *f)
{
    const struct rlimit little = { 65536, 65536 };
    const pid_t child = fork();

    if (child == 0) {
        const int fd = open(arena_printf(f->w.a, "%s/poor", f->folder), O_WRONLY | O_CREAT | O_TRUNC, 0600);

        dup2(fd, 2);
        if (setrlimit(RLIMIT_MEMLOCK, &little) != 0 || (geteuid() == 0 && (prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK) != 0 ||
                                                                           prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE) != 0)))
            _exit(2);
        execl(PKI_BIN, "beffroi-pki", "signer", "--config", f->config, (char *)NULL);
        _exit(127);
    }
    return child;
}

static bool
said(struct fixture *f, const char *what)
{
    char text[16384] = "";
    FILE *in = fopen(arena_printf(f->w.a, "%s/poor", f->folder), "r");

    if (in == NULL)
        return false;
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    fclose(in);
    return strstr(text, what) != NULL;
}

static void
its_memory(void **state)
{
    struct fixture *f = *state;
    char line[256];
    int status;

    /* a limit: said, and a test goes on */
    f->signer = start_poor(f);
    for (int i = 0; i < 600 && !said(f, "signer.ready"); i++)
        usleep(100 * 1000);
    assert_true(said(f, "signer.ready"));
    assert_true(said(f, "signer.memory") && said(f, "LimitMEMLOCK=infinity"));
    proc_line(f->signer, "limits", "Max core file size", line, sizeof(line));
    assert_non_null(strstr(line, " 0 "));
    signer_end(f, SIGTERM);
    /* in production it does not start */
    config_write_as(f, "production");
    f->signer = start_poor(f);
    assert_int_equal(waitpid(f->signer, &status, 0), f->signer);
    f->signer = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_true(said(f, "LimitMEMLOCK=infinity"));
}

static void
locked_where_it_may(void **state)
{
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    struct fixture *f = *state;
    char line[256];

#if defined(__SANITIZE_ADDRESS__)
    skip();                          /* it makes mlockall() do nothing */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    skip();
#endif
#endif
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0)
        skip();                      /* nobody here may */
    config_write_as(f, "production");
    signer_start(f);
    proc_line(f->signer, "status", "VmLck:", line, sizeof(line));
    assert_true(strtol(line + strlen("VmLck:"), NULL, 10) > 10000);  /* kB: all of it, not a page of secrets */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(its_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(locked_where_it_may, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
