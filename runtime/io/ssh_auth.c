/*
 * Authentication, one attempt at a time.  RSA keys sign with SHA-2: libssh2 1.10 knows only SHA-1
 * for them, which servers refuse; but it takes the name of the algorithm from the public key that
 * it is given, so that says "rsa-sha2-512", and the signature is made here.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.auth"

enum { AGENT_SIGN = 13, AGENT_SIGNED = 14, AGENT_SHA256 = 2, AGENT_SHA512 = 4 };

static uint32_t number(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static char *put_number(char *p, size_t n)
{
    for (int i = 0; i < 4; i++)
        *p++ = (char)(n >> (24 - 8 * i) & 0xff);
    return p;
}

static char *put_string(char *p, const void *data, size_t n)
{
    p = put_number(p, n);
    memcpy(p, data, n);
    return p + n;
}

static bool is_rsa(const char *blob, size_t len)
{
    return len > 11 && !memcmp(blob, "\0\0\0\7ssh-rsa", 11);
}

/* ---- by an agent ---- */

static void on_signed(void *arg, const unsigned char *data, size_t len, const struct plat_err *err)
{
    struct plat_ssh *s = arg;
    struct ssh_login *login = &s->login;
    size_t type_len, sig_len;

    login->call = NULL;
    login->signing = false;
    login->signed_ = true;
    if (!data) {
        login->agent_err = *err;
    } else if (data[0] != AGENT_SIGNED) {
        plat_err_set(&login->agent_err, PLAT_ERR_AUTH, 0, "ssh.agent",
                     "the agent does not sign with this key");
    } else if (len >= 13 && (type_len = number(data + 5)) <= len - 13 &&
               (sig_len = number(data + 9 + type_len)) <= len - 13 - type_len &&
               (login->sig = malloc(sig_len + 1))) {
        memcpy(login->sig, data + 13 + type_len, sig_len);
        login->sig_len = sig_len;
    } else {
        plat_err_set(&login->agent_err, PLAT_ERR_IO, 0, "ssh.agent", "its answer is malformed");
    }
    ssh_drive(s);
}

/* byte 13, string key, string data, uint32 flags */
static bool ask_agent(struct plat_ssh *s, const unsigned char *data, size_t len)
{
    struct ssh_login *login = &s->login;
    size_t size = 1 + 4 + login->agent_blob_len + 4 + len + 4;
    char *question = malloc(size), *p = question;
    bool rsa = is_rsa(login->agent_blob, login->agent_blob_len);

    if (!question)
        return false;
    *p++ = AGENT_SIGN;
    p = put_string(p, login->agent_blob, login->agent_blob_len);
    p = put_string(p, data, len);
    put_number(p, !rsa ? 0 : login->rsa_sha256 ? AGENT_SHA256 : AGENT_SHA512);
    login->call = ssh_agent_ask(s->loop, login->agent, (unsigned char *)question, size, on_signed,
                                s, &login->agent_err);
    free(question);
    return login->call != NULL;
}

static int sign_by_agent(struct plat_ssh *s, unsigned char **sig, size_t *sig_len,
                         const unsigned char *data, size_t len)
{
    struct ssh_login *login = &s->login;

    if (login->signed_) {
        *sig = login->sig; /* malloc'ed: the library frees it */
        *sig_len = login->sig_len;
        login->sig = NULL;
        return *sig ? 0 : -1;
    }
    if (!login->signing)
        login->signing = ask_agent(s, data, len);
    return login->signing ? LIBSSH2_ERROR_EAGAIN : -1;
}

static int on_sign(LIBSSH2_SESSION *lib, unsigned char **sig, size_t *sig_len,
                   const unsigned char *data, size_t len, void **abstract)
{
    struct plat_ssh *s = *abstract;
    struct ssh_login *login = &s->login;
    int rc;

    (void)lib;
    s->key_taken = true;
    if (login->method == PLAT_SSH_OFFER)
        return -1; /* that was the question */
    if (login->method == PLAT_SSH_AGENT)
        rc = sign_by_agent(s, sig, sig_len, data, len);
    else
        rc = plat_ssh_key_sign(login->key, login->rsa_sha256, data, len, sig, sig_len) ? 0 : -1;
    if (!rc && !ssh_cert_sign(login, sig, sig_len)) {
        free(*sig);
        *sig = NULL;
        rc = -1;
    }
    return rc;
}

/* ---- an attempt ---- */

void ssh_auth_end(struct plat_ssh *s)
{
    struct ssh_login *login = &s->login;

    ssh_agent_drop(login->call);
    if (login->password)
        OPENSSL_cleanse(login->password, login->password_len);
    free(login->user);
    free(login->password);
    free(login->agent);
    free(login->blob);
    free(login->agent_blob);
    free(login->sig);
    plat_ssh_key_unref(login->key);
    *login = (struct ssh_login){ .method = PLAT_SSH_NONE };
}

static int ask_methods(struct plat_ssh *s)
{
    const char *list;

    list = libssh2_userauth_list(s->lib, s->login.user, (unsigned)strlen(s->login.user));
    if (!list && libssh2_userauth_authenticated(s->lib))
        return 0;
    if (!list)
        return libssh2_session_last_errno(s->lib);
    if (s->lib_methods && s->lib_methods != list)
        libssh2_free(s->lib, (void *)(uintptr_t)s->lib_methods); /* it has forgotten that one */
    s->lib_methods = list;
    free(s->methods);
    s->methods = strdup(list);
    return LIBSSH2_ERROR_AUTHENTICATION_FAILED;
}

static int attempt(struct plat_ssh *s)
{
    const struct ssh_login *login = &s->login;
    unsigned user_len = (unsigned)strlen(login->user);
    void *abstract = s;

    switch (login->method) {
    case PLAT_SSH_NONE:
        return ask_methods(s);
    case PLAT_SSH_PASSWORD:
        return libssh2_userauth_password_ex(s->lib, login->user, user_len, login->password,
                                            (unsigned)login->password_len, NULL);
    case PLAT_SSH_KEYBOARD:
        return libssh2_userauth_keyboard_interactive_ex(s->lib, login->user, user_len,
                                                        ssh_said_questions);
    case PLAT_SSH_OFFER:
    case PLAT_SSH_KEY:
    case PLAT_SSH_AGENT:
        return libssh2_userauth_publickey(s->lib, login->user, (unsigned char *)login->blob,
                                          login->blob_len, on_sign, &abstract);
    }
    return LIBSSH2_ERROR_INVAL;
}

/* What the library says when the server said no, and the session lives on.  It says the same when
 * there came no answer at all. */
static bool is_refusal(const struct plat_ssh *s, int rc)
{
    char *text = NULL;

    libssh2_session_last_error(s->lib, &text, NULL, 0);
    if (text && !strncmp(text, SSH_WAITED, sizeof(SSH_WAITED) - 1))
        return false;
    return rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED ||
           rc == LIBSSH2_ERROR_PASSWORD_EXPIRED || rc == LIBSSH2_ERROR_METHOD_NONE;
}

static const char *refusal(const struct plat_ssh *s, int rc)
{
    if (rc == LIBSSH2_ERROR_PASSWORD_EXPIRED)
        return "the password has expired and must be changed";
    if (s->partial)
        return "the server wants another proof beside this one";
    switch (s->login.method) {
    case PLAT_SSH_NONE:
        return "the server wants proof";
    case PLAT_SSH_PASSWORD:
    case PLAT_SSH_KEYBOARD:
        return "the server does not accept the password";
    case PLAT_SSH_OFFER:
        if (s->key_taken)
            return "the server wants a signature";
        break;
    case PLAT_SSH_KEY:
    case PLAT_SSH_AGENT:
        break;
    }
    return "the server does not accept the key";
}

void ssh_auth_step(struct plat_ssh *s)
{
    int rc = attempt(s);

    ssh_said_collect(s);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return;
    s->auth_err = (struct plat_err){ .kind = PLAT_OK };
    if (rc && s->login.agent_err.kind)
        s->auth_err = s->login.agent_err;
    else if (rc)
        plat_err_set(&s->auth_err, PLAT_ERR_AUTH, rc, OP, "%s", refusal(s, rc));
    if (rc && (!is_refusal(s, rc) || s->told_end || s->eof)) {
        ssh_lose_lib(s, rc, OP);
        return;
    }
    ssh_set_timer(s, 0);
    ssh_auth_end(s);
    s->phase = rc ? SSH_KEYED : SSH_READY;
    if (!rc)
        ssh_alive_start(s);
    ssh_wake(&s->waiting);
}

static char *copy(const char *data, size_t len)
{
    char *text = malloc(len + 1);

    if (!text)
        return NULL;
    if (len)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

/* An RSA key under the name of its signature. */
static bool set_blob(struct ssh_login *login, const char *blob, size_t len)
{
    const char *name = login->rsa_sha256 ? "rsa-sha2-256" : "rsa-sha2-512";

    if (!is_rsa(blob, len)) {
        login->blob = copy(blob, len);
        login->blob_len = len;
        return login->blob != NULL;
    }
    login->blob = malloc(len + 5);
    if (!login->blob)
        return false;
    memcpy(put_string(login->blob, name, 12), blob + 11, len - 11);
    login->blob_len = len + 5;
    return true;
}

static bool set_login(struct ssh_login *login, const struct plat_ssh_auth *auth)
{
    const char *blob = auth->blob;
    size_t len = auth->blob_len;

    login->method = auth->method;
    login->rsa_sha256 = auth->rsa_sha256;
    login->user = copy(auth->user, strlen(auth->user));
    login->password_len = auth->password_len;
    login->password = copy(auth->password, auth->password_len);
    if (!login->user || !login->password)
        return false;
    if (auth->method == PLAT_SSH_KEY) {
        login->key = plat_ssh_key_ref(auth->key);
        blob = plat_ssh_key_blob(auth->key, &len);
    } else if (auth->method == PLAT_SSH_AGENT) {
        login->agent = copy(auth->agent, strlen(auth->agent));
        login->agent_blob = copy(blob, len);
        login->agent_blob_len = len;
        if (!login->agent || !login->agent_blob)
            return false;
    }
    if (auth->cert) {
        blob = auth->cert;
        len = auth->cert_len;
    }
    if (blob && !set_blob(login, blob, len))
        return false;
    if (blob)
        ssh_cert_begin(login);
    return true;
}

bool plat_ssh_authenticate(struct plat_ssh *s, const struct plat_ssh_auth *auth, struct plat_op *op,
                           struct plat_err *err)
{
    if (plat_ssh_failed(s, err))
        return false;
    if (s->phase != SSH_KEYED)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP,
                            s->phase == SSH_AUTH    ? "another task authenticates"
                            : s->phase == SSH_READY ? "authenticated already"
                                                    : "not connected");
    if (auth->cert && !ssh_cert_usable(auth->cert, auth->cert_len))
        return plat_err_set(err, PLAT_ERR_REFUSED, 0, OP,
                            "libssh2 %s cannot log in by RSA certificates", libssh2_version(0));
    s->key_taken = s->partial = s->answered = false;
    s->question[0] = '\0';
    if (!set_login(&s->login, auth)) {
        ssh_auth_end(s);
        return plat_err_errno(err, ENOMEM, OP, "cannot authenticate");
    }
    s->waiting = op;
    s->phase = SSH_AUTH;
    ssh_set_timer(s, auth->timeout);
    ssh_drive(s);
    return true;
}

bool plat_ssh_auth_result(const struct plat_ssh *s, struct plat_err *err)
{
    if (plat_ssh_failed(s, err))
        return false;
    if (s->phase != SSH_READY)
        *err = s->auth_err;
    return s->phase == SSH_READY;
}

const char *plat_ssh_auth_methods(const struct plat_ssh *s)
{
    return s->methods;
}

bool plat_ssh_auth_key_taken(const struct plat_ssh *s)
{
    return s->key_taken;
}

const char *plat_ssh_auth_question(const struct plat_ssh *s)
{
    return s->question[0] ? s->question : NULL;
}

bool plat_ssh_auth_partial(const struct plat_ssh *s)
{
    return s->partial;
}

bool plat_ssh_auth_answered(const struct plat_ssh *s)
{
    return s->answered;
}

const char *plat_ssh_notice(const struct plat_ssh *s, size_t *ret_len)
{
    *ret_len = s->notice.len;
    return s->notice.len ? plat_buf_bytes(&s->notice) : NULL;
}
