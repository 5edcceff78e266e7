/*
 * SSH sessions.  A plat_ssh is one connection: connected, its host key looked at by the caller,
 * authenticated, and then used for channels: commands and subsystems, at most PLAT_SSH_CHANNELS at
 * once, and connections from there.
 *
 * One wait for the session (connect or authenticate) at a time; each channel has its own.  A
 * session that is lost stays lost: every channel of it fails, and the caller makes a new one.
 *
 * Nothing here blocks: libssh2 writes into a queue of ours that always takes everything, and keys
 * are parsed on the pool.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/op.h"
#include "io/ssh_key.h"

struct plat_loop;
struct plat_ssh;
struct plat_ssh_exec;

/* sshd allows 10 sessions a connection (MaxSessions); two are left to others. */
enum { PLAT_SSH_CHANNELS = 8 };

/* ---- the connection ---- */

struct plat_ssh_opts {
    const char *host; /* a name or an address; needed during the start only, like all strings */
    int port;
    const char *host_keys; /* types in the order wanted, NULL: all that are sound */
    const char *kex;       /* exchanges of keys, ciphers and MACs likewise */
    const char *ciphers;
    const char *macs;
    int family;               /* AF_INET or AF_INET6 alone; 0: both */
    struct plat_ssh *via;     /* NULL, or a session that is logged in: connects from there */
    const char *proxy;        /* NULL, or a command for a shell: its stdin and stdout are the way */
    double connect_timeout;   /* seconds, the name and all addresses together; 0: none */
    double handshake_timeout; /* banner and key exchange */
    double alive_interval;    /* seconds of silence until the server is asked; 0: never */
    int alive_count;          /* questions without an answer until it is lost */
};

/* What is negotiated: names with commas between, malloc'ed, those that the library in use has, best
 * first; NULL: no memory. */
enum plat_ssh_list { PLAT_SSH_KEX, PLAT_SSH_HOST_KEYS, PLAT_SSH_CIPHERS, PLAT_SSH_MACS };
char *plat_ssh_algorithms(enum plat_ssh_list list);

/* Starts to connect; `op` is ready when the host key is known or nothing will come of it.
 * NULL: *err says why. */
struct plat_ssh *plat_ssh_new(struct plat_loop *loop, const struct plat_ssh_opts *opts,
                              struct plat_op *op, struct plat_err *err);

/* Ends it: says goodbye if that can be done at once, wakes who waits.  NULL is fine. */
void plat_ssh_free(struct plat_ssh *s);

/* The waiter was cancelled or is out of time: the session is of no use any more. */
void plat_ssh_abort(struct plat_ssh *s);

/* True when the session cannot be used; *err says why. */
bool plat_ssh_failed(const struct plat_ssh *s, struct plat_err *err);

/* Of which list the server has nothing that we have: "cipher", "MAC", "key exchange", "type of host
 * key"; NULL: that was not it. */
const char *plat_ssh_mismatch(const struct plat_ssh *s);

/* The server's key as it goes over the wire (RFC 4253, 6.6).  NULL: not known yet. */
const char *plat_ssh_host_key(const struct plat_ssh *s, size_t *ret_len);

const char *plat_ssh_banner(const struct plat_ssh *s); /* "SSH-2.0-OpenSSH_9.2p1"; NULL: none yet */

/* ---- authentication ---- */

enum plat_ssh_method {
    PLAT_SSH_NONE,     /* asks what the server takes */
    PLAT_SSH_PASSWORD, /* also by keyboard-interactive, see below */
    PLAT_SSH_KEYBOARD, /* the password is the answer to the first question that is not echoed */
    PLAT_SSH_KEY,      /* by a key that we hold */
    PLAT_SSH_AGENT,    /* by a key that the agent holds */
    PLAT_SSH_OFFER,    /* asks whether the server would take a key; never logs in */
};

struct plat_ssh_auth {
    enum plat_ssh_method method;
    const char *user;
    const char *password;
    size_t password_len;
    struct plat_ssh_key *key; /* PLAT_SSH_KEY */
    const char *agent;        /* PLAT_SSH_AGENT: the path of its socket */
    const char *blob;         /* and the public key; PLAT_SSH_OFFER: it alone */
    size_t blob_len;
    const char *cert; /* NULL, or a certificate of the key: sent instead of its public half */
    size_t cert_len;
    bool rsa_sha256; /* RSA signs with SHA-256 instead of SHA-512 */
    double timeout;  /* seconds, 0: none */
};

/* Everything given is copied.  False: *err says why, op is not touched any more.  When the op is
 * ready, plat_ssh_auth_result() tells the outcome. */
bool plat_ssh_authenticate(struct plat_ssh *s, const struct plat_ssh_auth *auth, struct plat_op *op,
                           struct plat_err *err);

/* True: we are in.  False: *err says why; of kind AUTH: another method may be tried. */
bool plat_ssh_auth_result(const struct plat_ssh *s, struct plat_err *err);

/* What the server said that it takes, "publickey,password", when it refused; NULL: nothing. */
const char *plat_ssh_auth_methods(const struct plat_ssh *s);

/* The last attempt was right, and the server wants another way as well. */
bool plat_ssh_auth_partial(const struct plat_ssh *s);

/* What the server has said for people to read, as lines; also of a session that is lost.  NULL:
 * nothing. */
const char *plat_ssh_notice(const struct plat_ssh *s, size_t *ret_len);

/* Of the last attempt: the server would take the key; and the first question of the server that
 * nobody has answered (NULL: none). */
bool plat_ssh_auth_answered(const struct plat_ssh *s); /* a question got the password */
bool plat_ssh_auth_key_taken(const struct plat_ssh *s);
const char *plat_ssh_auth_question(const struct plat_ssh *s);

/* ---- channels: commands, subsystems and connections ---- */

enum plat_ssh_kind {
    PLAT_SSH_COMMAND,
    PLAT_SSH_SUBSYSTEM, /* "sftp" */
    PLAT_SSH_TCP,       /* a connection from the server to a host and port */
    PLAT_SSH_UNIX,      /* a connection from the server to a unix socket there */
};

struct plat_ssh_exec_opts {
    enum plat_ssh_kind kind;
    const char *command; /* or a subsystem, a host, a path; copied */
    size_t command_len;
    int port;          /* of PLAT_SSH_TCP */
    const char *input; /* sent, then the end of input; borrowed until the op is ready */
    size_t input_len;
    size_t max_output; /* ceiling of each stream; streamed: bytes read ahead of each */
    bool stream;       /* output is taken in pieces, and the server waits when nobody takes it */
    bool more_input;   /* streamed: no end of input before plat_ssh_exec_finish */
    bool leash;        /* its input ends only when the channel does */
    bool pty;          /* on a terminal: one stream, and a hangup when the channel is closed */

    /* For engines, instead of waiting: called from the loop, never from inside a call, when the
     * channel is open, has output, has room after a short plat_ssh_exec_push, is wanted, or has
     * ended.  It may do everything, also free the channel. */
    void (*on_event)(void *arg);
    void *arg;
};

struct plat_ssh_status {
    int code;        /* exit status; 128 for a signal */
    char signal[32]; /* "TERM"; empty: it ended by itself */
};

/* A variable for all commands that begin after this, where the server takes it.  False: memory. */
bool plat_ssh_setenv(struct plat_ssh *s, const char *name, const char *value);

/* Queues it; `op` is ready at its end (streamed: NULL).  NULL: *err says why. */
struct plat_ssh_exec *plat_ssh_exec_new(struct plat_ssh *s, const struct plat_ssh_exec_opts *opts,
                                        struct plat_op *op, struct plat_err *err);

/* The waiter was cancelled or is out of time: closes the channel.  What came until now stays.  The
 * server tells the command nothing; it lives on until it writes. */
void plat_ssh_exec_cancel(struct plat_ssh_exec *e);

/* Gives it up, cancelled or not.  Its memory goes when the channel is closed.  NULL is fine. */
void plat_ssh_exec_free(struct plat_ssh_exec *e);

/* True: the command ended and *status is filled.  False: *err says why nothing is known.  A
 * connection has no status; an error of kind REFUSED has the server's reason as its code. */
bool plat_ssh_exec_result(const struct plat_ssh_exec *e, struct plat_ssh_status *status,
                          struct plat_err *err);

/* Streamed: op is ready when it is open, when there is output, or at the end.  False: *err says
 * why. */
bool plat_ssh_exec_await_open(struct plat_ssh_exec *e, struct plat_op *op, struct plat_err *err);
bool plat_ssh_exec_await(struct plat_ssh_exec *e, struct plat_op *op, struct plat_err *err);
void plat_ssh_exec_forget(struct plat_ssh_exec *e); /* the waiter was cancelled or is out of time */
void plat_ssh_exec_consume(struct plat_ssh_exec *e, int stream, size_t n);
bool plat_ssh_exec_opened(const struct plat_ssh_exec *e);
bool plat_ssh_exec_eof(const struct plat_ssh_exec *e);   /* no output comes after what is there */
bool plat_ssh_exec_ended(const struct plat_ssh_exec *e); /* its output may still be there */

/* A command waits for a channel, and all that the server allows are in use. */
bool plat_ssh_exec_wanted(const struct plat_ssh_exec *e);

/* Sends input; op is ready when all of it is on its way, or never will be: then
 * plat_ssh_exec_written says why.  Borrowed until then.  False: *err says why. */
bool plat_ssh_exec_write(struct plat_ssh_exec *e, const char *data, size_t len, struct plat_op *op,
                         struct plat_err *err);
bool plat_ssh_exec_written(const struct plat_ssh_exec *e, struct plat_err *err);

/* The writer was cancelled: a part of its bytes may be sent, so no other may follow. */
void plat_ssh_exec_unwrite(struct plat_ssh_exec *e);

/* For engines: sends what there is room for, returns how much that was. */
size_t plat_ssh_exec_push(struct plat_ssh_exec *e, const char *data, size_t len);

/* The end of input, after what is being written.  Output goes on.  Twice is fine. */
void plat_ssh_exec_finish(struct plat_ssh_exec *e);

bool plat_ssh_exec_sent(const struct plat_ssh_exec *e); /* the server may have begun it */
const struct plat_buf *plat_ssh_exec_output(const struct plat_ssh_exec *e, int stream); /* 0, 1 */

const char *plat_ssh_version(void); /* libssh2's */
