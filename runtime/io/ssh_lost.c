/* Why a session was lost, in words: libssh2's own say little of it. */
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

static bool is_of_algorithms(int rc)
{
    return rc == LIBSSH2_ERROR_KEX_FAILURE || rc == LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE ||
           rc == LIBSSH2_ERROR_METHOD_NONE;
}

static bool is_of_socket(int rc, const char *text)
{
    return rc == LIBSSH2_ERROR_SOCKET_DISCONNECT || rc == LIBSSH2_ERROR_SOCKET_RECV ||
           rc == LIBSSH2_ERROR_SOCKET_SEND || rc == LIBSSH2_ERROR_CHANNEL_CLOSED ||
           !strncmp(text, SSH_WAITED, sizeof(SSH_WAITED) - 1);
}

static const char *when(const struct plat_ssh *s)
{
    if (s->phase == SSH_HANDSHAKE)
        return " in the key exchange";
    return s->phase < SSH_READY ? " while logging in" : "";
}

void ssh_lost_explain(struct plat_ssh *s, int rc, const char *op, struct plat_err *err)
{
    char *last = NULL;
    const char *text;

    libssh2_session_last_error(s->lib, &last, NULL, 0);
    text = last && *last ? last : "the session broke";
    if (is_of_algorithms(rc) && ssh_kex_explain(s, err))
        return;
    if (!s->goodbye[0] && ssh_way_explain(s, op, err))
        return;
    if (ssh_said_before_banner(s, rc, err))
        return;
    if (s->goodbye[0])
        plat_err_set(err, PLAT_ERR_CONNECT, rc, op, "%.100s ended the connection%s: %s", s->host,
                     when(s), s->goodbye);
    else if (s->send_err)
        plat_err_errno(err, s->send_err, op, "the connection to %.100s was lost%s", s->host,
                       when(s));
    else if (s->eof)
        plat_err_set(err, PLAT_ERR_CONNECT, rc, op,
                     "the connection to %.100s was lost%s: the server ended it", s->host, when(s));
    else if (rc == LIBSSH2_ERROR_INVALID_MAC)
        plat_err_set(err, PLAT_ERR_CONNECT, rc, op,
                     "what came from %.100s was damaged on its way%s: its checksum is wrong",
                     s->host, when(s));
    else if (is_of_socket(rc, text))
        plat_err_set(err, PLAT_ERR_CONNECT, rc, op, "the connection to %.100s was lost%s", s->host,
                     when(s));
    else
        plat_err_set(err, PLAT_ERR_CONNECT, rc, op, "%.100s: %.100s (libssh2 error %d)%s", s->host,
                     text, rc, when(s));
    err->kind = PLAT_ERR_CONNECT;
}
