/*
 * bare_ssh exec HOSTS PORT USER KEY AT_ONCE STEPS COMMAND
 * bare_ssh put  HOSTS PORT USER KEY AT_ONCE FILE REMOTE
 *
 * The least that libssh2 can do: one poll loop, non-blocking sessions, AT_ONCE of them at a time,
 * an Ed25519 key that is read once and signs through OpenSSL.  The host key is not looked at.
 * `exec` runs COMMAND STEPS times on every address of the file HOSTS and drops its output;
 * `put` writes FILE by SFTP to REMOTE with the host's number behind it.
 */
#define _GNU_SOURCE /* memmem */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libssh2.h>
#include <libssh2_sftp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_HOSTS = 2000, CHUNK = 128 * 1024, SEED = 32 };

struct host {
    char address[64];
    int number;
    int fd;
    int steps; /* still to do */
    size_t at; /* of the file */
    int (*phase)(struct host *h);
    LIBSSH2_SESSION *session;
    LIBSSH2_CHANNEL *channel;
    LIBSSH2_SFTP *sftp;
    LIBSSH2_SFTP_HANDLE *handle;
};

static struct {
    int port, at_once, steps;
    const char *user, *command, *remote;
    char *file;
    size_t file_len;
    EVP_PKEY *key;
    unsigned char blob[51]; /* the public key as it goes over the wire */
} work;

static struct host hosts[MAX_HOSTS];
static int count;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "bare_ssh: %s: %s\n", what, why);
    exit(1);
}

static char *slurp(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    size_t cap = 1 << 20, len = 0, n;
    char *text = malloc(cap + 1);

    if (!file || !text)
        die(path, strerror(errno));
    while ((n = fread(text + len, 1, cap - len, file)) > 0) {
        len += n;
        if (len == cap)
            text = realloc(text, (cap *= 2) + 1);
        if (!text)
            die(path, "no memory");
    }
    fclose(file);
    text[len] = '\0';
    *ret_len = len;
    return text;
}

/* ---- the key: OpenSSH's format, Ed25519, no passphrase ---- */

static void read_key(const char *path)
{
    static const char name[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20"; /* then 32 bytes */
    size_t len, n = 0;
    char *text = slurp(path, &len);
    unsigned char *raw = malloc(len + 3), *found = NULL;
    char *from = strchr(text, '\n');
    char *to = from ? strstr(from, "-----END") : NULL;

    if (!raw || !to)
        die(path, "no private key of OpenSSH's format");
    for (char *p = from; p < to; p++)
        if (*p != '\n')
            text[n++] = *p;
    if (EVP_DecodeBlock(raw, (unsigned char *)text, (int)n) < 0)
        die(path, "no base64");
    n = n / 4 * 3; /* the public key stands first, then again, followed by seed and public key */
    found = memmem(raw, n, name, sizeof(name) - 1);
    if (found)
        memcpy(work.blob, found, sizeof(work.blob));
    if (found)
        found = memmem(found + 1, n - (size_t)(found + 1 - raw), name, sizeof(name) - 1);
    if (!found)
        die(path, "no Ed25519 key");
    found += sizeof(name) - 1 + 32 + 4;
    work.key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, found, SEED);
    if (!work.key)
        die(path, "OpenSSL does not take it");
    free(raw);
    free(text);
}

static int sign(LIBSSH2_SESSION *session, unsigned char **sig, size_t *sig_len,
                const unsigned char *data, size_t data_len, void **abstract)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 64;
    int ok;

    (void)session;
    (void)abstract;
    *sig = malloc(len);
    ok = *sig && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, work.key) == 1 &&
         EVP_DigestSign(ctx, *sig, &len, data, data_len) == 1;
    EVP_MD_CTX_free(ctx);
    *sig_len = len;
    return ok ? 0 : -1;
}

/* ---- phases: each returns LIBSSH2_ERROR_EAGAIN, or 0 and the next phase is set ---- */

static int done_with(struct host *h, int rc, int (*next)(struct host *), const char *what)
{
    char *why = "";

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return rc;
    if (rc < 0) {
        libssh2_session_last_error(h->session, &why, NULL, 0);
        fprintf(stderr, "%s: %d ", h->address, rc);
        die(what, why);
    }
    h->phase = next;
    return 0;
}

/* What a call that returns a pointer means: EAGAIN, an error or 0. */
static int pointer_rc(struct host *h, const void *p)
{
    return p ? 0 : libssh2_session_last_errno(h->session);
}

static int phase_goodbye(struct host *h)
{
    int rc = libssh2_session_disconnect(h->session, "done");

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return rc;
    while (libssh2_session_free(h->session) == LIBSSH2_ERROR_EAGAIN)
        ;
    close(h->fd);
    h->phase = NULL;
    return 0;
}

static int phase_open(struct host *h);

static int phase_free(struct host *h)
{
    int rc = libssh2_channel_wait_closed(h->channel);

    if (rc != LIBSSH2_ERROR_EAGAIN && libssh2_channel_get_exit_status(h->channel) != 0)
        die(h->address, "the command failed");
    if (rc != LIBSSH2_ERROR_EAGAIN)
        while (libssh2_channel_free(h->channel) == LIBSSH2_ERROR_EAGAIN)
            ;
    return done_with(h, rc, h->steps > 0 ? phase_open : phase_goodbye, "free");
}

static int phase_close(struct host *h)
{
    return done_with(h, libssh2_channel_close(h->channel), phase_free, "close");
}

static int phase_read(struct host *h)
{
    static char buf[CHUNK];
    ssize_t n;

    do
        n = libssh2_channel_read(h->channel, buf, sizeof(buf));
    while (n > 0);
    if (n == 0 && !libssh2_channel_eof(h->channel))
        n = LIBSSH2_ERROR_EAGAIN;
    return done_with(h, (int)n, phase_close, "read");
}

static int phase_exec(struct host *h)
{
    return done_with(h, libssh2_channel_exec(h->channel, work.command), phase_read, "exec");
}

static int phase_open(struct host *h)
{
    int rc;

    h->channel = libssh2_channel_open_session(h->session);
    rc = pointer_rc(h, h->channel);
    if (rc == 0)
        h->steps--;
    return done_with(h, rc, phase_exec, "open");
}

static int phase_sftp_end(struct host *h)
{
    return done_with(h, libssh2_sftp_shutdown(h->sftp), phase_goodbye, "sftp end");
}

static int phase_sftp_close(struct host *h)
{
    return done_with(h, libssh2_sftp_close(h->handle), phase_sftp_end, "sftp close");
}

static int phase_sftp_write(struct host *h)
{
    while (h->at < work.file_len) {
        size_t left = work.file_len - h->at;
        ssize_t n = libssh2_sftp_write(h->handle, work.file + h->at, left < CHUNK ? left : CHUNK);

        if (n < 0)
            return done_with(h, (int)n, NULL, "sftp write");
        h->at += (size_t)n;
    }
    h->phase = phase_sftp_close;
    return 0;
}

static int phase_sftp_open(struct host *h)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s%d", work.remote, h->number);
    h->handle = libssh2_sftp_open(h->sftp, path,
                                  LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC, 0644);
    return done_with(h, pointer_rc(h, h->handle), phase_sftp_write, "sftp open");
}

static int phase_sftp(struct host *h)
{
    h->sftp = libssh2_sftp_init(h->session);
    return done_with(h, pointer_rc(h, h->sftp), phase_sftp_open, "sftp");
}

static int phase_auth(struct host *h)
{
    int rc =
        libssh2_userauth_publickey(h->session, work.user, work.blob, sizeof(work.blob), sign, NULL);

    return done_with(h, rc, work.file ? phase_sftp : phase_open, "auth");
}

static int phase_handshake(struct host *h)
{
    return done_with(h, libssh2_session_handshake(h->session, h->fd), phase_auth, "handshake");
}

static void begin(struct host *h)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)work.port) };
    int yes = 1;

    h->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (h->fd < 0 || inet_pton(AF_INET, h->address, &to.sin_addr) != 1)
        die(h->address, "no socket or no address");
    setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (connect(h->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
        die(h->address, strerror(errno));
    h->session = libssh2_session_init();
    if (!h->session)
        die(h->address, "no memory");
    libssh2_session_set_blocking(h->session, 0);
    libssh2_session_method_pref(h->session, LIBSSH2_METHOD_KEX, "curve25519-sha256");
    h->steps = work.steps;
    h->phase = phase_handshake;
}

/* ---- the loop ---- */

static void loop(void)
{
    static struct pollfd fds[MAX_HOSTS];
    static struct host *active[MAX_HOSTS];
    int next = 0, running = 0;

    while (next < count || running > 0) {
        while (running < work.at_once && next < count) {
            begin(&hosts[next]);
            fds[running] = (struct pollfd){ .fd = hosts[next].fd, .events = POLLOUT };
            active[running++] = &hosts[next++];
        }
        if (poll(fds, (nfds_t)running, 60000) <= 0)
            die("poll", "nothing happens");
        for (int i = running - 1; i >= 0; i--) {
            struct host *h = active[i];
            int ways;

            if (!fds[i].revents)
                continue;
            while (h->phase && h->phase(h) == 0)
                ;
            if (!h->phase) {
                active[i] = active[--running];
                fds[i] = fds[running];
                continue;
            }
            ways = libssh2_session_block_directions(h->session);
            fds[i].events = POLLIN;
            if (ways & LIBSSH2_SESSION_BLOCK_OUTBOUND)
                fds[i].events |= POLLOUT;
        }
    }
}

static void read_hosts(const char *path)
{
    FILE *file = fopen(path, "r");

    if (!file)
        die(path, strerror(errno));
    while (count < MAX_HOSTS && fscanf(file, "%63s", hosts[count].address) == 1) {
        hosts[count].number = count + 1;
        count++;
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    bool put = argc == 9 && strcmp(argv[1], "put") == 0;

    if (argc != 9 || (!put && strcmp(argv[1], "exec") != 0)) {
        fputs("usage: bare_ssh exec|put HOSTS PORT USER KEY AT_ONCE STEPS|FILE COMMAND|REMOTE\n",
              stderr);
        return 64;
    }
    read_hosts(argv[2]);
    work.port = atoi(argv[3]);
    work.user = argv[4];
    read_key(argv[5]);
    work.at_once = atoi(argv[6]);
    work.command = work.remote = argv[8];
    if (put)
        work.file = slurp(argv[7], &work.file_len);
    else
        work.steps = atoi(argv[7]);
    if (libssh2_init(0) != 0)
        die("libssh2", "it does not start");
    loop();
    return 0;
}
