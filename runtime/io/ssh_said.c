/*
 * What the server says in words: banners, questions to answer, and why it ends the connection; and
 * by which ways it lets us in.
 *
 * libssh2 1.10 keeps of a refusal nothing but that it was one, and never looks at banners that come
 * after the first question: in those stands why an account may not log in.  The library's messages
 * pass by here when it frees them, and banners are looked for in what it has not freed.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

enum { MSG_USERAUTH_FAILURE = 51, MSG_USERAUTH_BANNER = 53 };

void ssh_said_keep(char *ret, size_t size, const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; text && i < len && n < size - 1; i++)
        if ((unsigned char)text[i] > ' ' && text[i] != 127)
            ret[n++] = text[i];
        else if (n && ret[n - 1] != ' ')
            ret[n++] = ' ';
    while (n && ret[n - 1] == ' ')
        n--;
    ret[n] = '\0';
}

static uint32_t number(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool logging_in(const struct plat_ssh *s)
{
    return s->phase == SSH_KEYED || s->phase == SSH_AUTH;
}

/* Lines of text; of what a terminal would obey nothing is left. */
static void add_notice(struct plat_ssh *s, const unsigned char *text, size_t len)
{
    if (s->notice.len && len)
        plat_buf_add(&s->notice, "\n", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = text[i];

        if (c == '\t')
            c = ' ';
        if (c == '\n' || (c >= ' ' && c != 127))
            plat_buf_add(&s->notice, &c, 1); /* what is too much is left out */
    }
}

void ssh_said_on_alloc(struct plat_ssh *s, unsigned char *p, size_t n)
{
    unsigned i = s->next_mail % (sizeof(s->mail) / sizeof(s->mail[0]));

    if (!p || n < 9 || !logging_in(s))
        return;
    p[0] = 0; /* whoever had this memory before has not been received */
    s->mail[i] = p;
    s->mail_size[i] = n;
    s->next_mail++;
}

/* byte 51, the ways that can go on with commas between, whether the last one was right */
static void read_refusal(struct plat_ssh *s, const unsigned char *p)
{
    size_t size = malloc_usable_size((void *)(uintptr_t)p), len;
    char *methods;

    if (size < 6 || p[0] != MSG_USERAUTH_FAILURE || (len = number(p + 1)) > size - 6)
        return;
    for (size_t i = 0; i < len; i++)
        if (p[5 + i] <= ' ' || p[5 + i] > 126)
            return;
    methods = strndup((const char *)p + 5, len);
    if (!methods)
        return;
    free(s->methods);
    s->methods = methods;
    s->partial = p[5 + len] != 0;
}

void ssh_said_on_free(struct plat_ssh *s, const unsigned char *p)
{
    if (!p || s->phase > SSH_AUTH)
        return;
    for (size_t i = 0; i < sizeof(s->mail) / sizeof(s->mail[0]); i++)
        if (s->mail[i] == p)
            s->mail[i] = NULL;
    if (s->phase == SSH_AUTH)
        read_refusal(s, p);
}

void ssh_said_collect(struct plat_ssh *s)
{
    for (size_t i = 0; i < sizeof(s->mail) / sizeof(s->mail[0]); i++) {
        const unsigned char *p = s->mail[i];
        size_t len;

        if (!p || p[0] != MSG_USERAUTH_BANNER || (len = number(p + 1)) > s->mail_size[i] - 5)
            continue;
        add_notice(s, p + 5, len);
        s->mail[i] = NULL;
    }
}

static void on_disconnect(LIBSSH2_SESSION *lib, int reason, const char *text, int len,
                          const char *lang, int lang_len, void **abstract)
{
    struct plat_ssh *s = *abstract;

    (void)lib;
    (void)reason;
    (void)lang;
    (void)lang_len;
    s->told_end = true;
    ssh_said_keep(s->goodbye, sizeof(s->goodbye), text, len > 0 ? (size_t)len : 0);
}

void ssh_said_hook(struct plat_ssh *s)
{
    libssh2_session_callback_set(s->lib, LIBSSH2_CALLBACK_DISCONNECT, (void *)on_disconnect);
}

/* One question is the password's, and it is answered once: a wrong one is not tried again.  The
 * first that is left over is remembered: it says what else the server wants. */
void ssh_said_questions(const char *name, int name_len, const char *instruction,
                        int instruction_len, int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
                        LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
    struct plat_ssh *s = *abstract;
    struct ssh_login *login = &s->login;

    add_notice(s, (const unsigned char *)name, name_len > 0 ? (size_t)name_len : 0);
    add_notice(s, (const unsigned char *)instruction,
               instruction_len > 0 ? (size_t)instruction_len : 0);
    for (int i = 0; i < n; i++) {
        if (prompts[i].echo || s->answered) { /* responses are zeroed: an empty answer */
            if (!s->question[0])
                ssh_said_keep(s->question, sizeof(s->question), (const char *)prompts[i].text,
                              prompts[i].length);
            continue;
        }
        responses[i].text = malloc(login->password_len + 1);
        if (!responses[i].text)
            continue;
        memcpy(responses[i].text, login->password, login->password_len);
        responses[i].length = (unsigned)login->password_len;
        s->answered = true;
    }
}

bool ssh_said_old(const struct plat_ssh *s)
{
    const char *text = s->tap.len ? plat_buf_bytes(&s->tap) : "";

    return s->tap.len >= 8 && !memcmp(text, "SSH-1.", 6) && memcmp(text + 6, "99", 2) != 0;
}

bool ssh_said_banner(const struct plat_ssh *s)
{
    const char *text = s->tap.len ? plat_buf_bytes(&s->tap) : "";

    return s->tap.len >= 4 && (!memcmp(text, "SSH-", 4) || memmem(text, s->tap.len, "\nSSH-", 5));
}

/* As a server does that has too many who are not logged in yet (MaxStartups): it is asked again,
 * told by the code. */
bool ssh_said_before_banner(const struct plat_ssh *s, int rc, struct plat_err *err)
{
    static const char full[] = "Exceeded MaxStartups";
    bool gone = s->eof || s->send_err;
    char line[100];
    bool busy;

    if (s->phase != SSH_HANDSHAKE || ssh_said_banner(s) ||
        !(gone || s->flooded || rc == LIBSSH2_ERROR_BANNER_RECV))
        return false;
    ssh_said_keep(line, sizeof(line), s->tap.len ? plat_buf_bytes(&s->tap) : "", s->tap.len);
    busy = gone && !s->flooded && (!line[0] || !strncmp(line, full, sizeof(full) - 1));
    plat_err_set(err, PLAT_ERR_CONNECT, busy ? LIBSSH2_ERROR_BANNER_RECV : LIBSSH2_ERROR_PROTO,
                 "ssh.handshake", "%.100s port %d %s%s%s", s->host, s->port,
                 s->flooded ? "sends much and no SSH banner"
                 : gone     ? "closed the connection before its SSH banner"
                            : "is no SSH server: it says",
                 line[0] ? ": " : "", line);
    return true;
}
