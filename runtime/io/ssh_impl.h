/* What the files ssh*.c share.  Nobody else includes it. */
#pragma once

#include <libssh2.h>
#include <uv.h>

#include "io/proc.h"
#include "io/resolve.h"
#include "io/ssh.h"
#include "io/ssh_agent.h"

enum {
    SSH_QUEUE_HIGH = 256 * 1024, /* queued bytes from which on input is held back */
    SSH_TAP_MAX = 16 * 1024,     /* of the server's first bytes: banner and KEXINIT */
    SSH_CHUNK = 64 * 1024,
    SSH_LOOSE = 8,
    SSH_NOTICE_MAX = 4096, /* of what the server says in words while we log in */
};

/* How the library's text begins when it got no answer, whatever its code says. */
#define SSH_WAITED "Waiting for"

enum ssh_phase {
    SSH_RESOLVING,
    SSH_CONNECTING,
    SSH_HANDSHAKE,
    SSH_KEYED, /* the host key is known; not authenticated */
    SSH_AUTH,
    SSH_READY,
    SSH_LOST, /* err says why */
};

enum ssh_tick {
    SSH_TICK_PROXY,    /* the program has not told why it closed its output */
    SSH_TICK_PATIENCE, /* a connection is being opened, and others wait for that */
    SSH_TICK_ALIVE,    /* does the server still answer? */
    SSH_TICKS,
};

struct ssh_login { /* one attempt to authenticate; secrets are wiped at its end */
    enum plat_ssh_method method;
    char *user, *password, *agent;
    size_t password_len;
    struct plat_ssh_key *key;
    char *blob; /* as sent: an RSA key's with the type of the signature */
    size_t blob_len;
    char *agent_blob; /* as the agent knows it */
    size_t agent_blob_len;
    bool rsa_sha256;
    struct ssh_agent_call *call;
    bool signing, signed_; /* the agent was asked; it has answered */
    unsigned char *sig;    /* malloc'ed; NULL: it refused */
    size_t sig_len;
    struct plat_err agent_err;
    size_t packet_len, packet_size; /* see ssh_cert.c; 0: the library does it right */
    unsigned char *packet, *filler; /* the library's memory */
    unsigned char real_sig[64];
};

struct plat_ssh {
    struct plat_loop *loop;
    LIBSSH2_SESSION *lib;
    enum ssh_phase phase;
    struct plat_err err;
    struct plat_op *waiting;

    uv_poll_t poll;
    uv_timer_t timer;
    uv_timer_t tick;
    uint64_t ticks[SSH_TICKS]; /* when something is to be looked after, 0: it is not */
    uv_idle_t idle;            /* tells the owners of channels what came */
    int handles;               /* not yet closed */
    int fd;
    int lib_fd;  /* what the library is told: it only looks whether that may block */
    int events;  /* what the poll waits for; 0: stopped */
    bool polled; /* the poll was initialised */
    bool freed;  /* the owner has given it up */
    bool dead;   /* the library may neither send nor receive: it is being freed */

    struct plat_resolve_wait lookup;
    struct plat_addrs addrs;
    size_t next_addr;
    char *host;
    char *prefs[10]; /* by LIBSSH2_METHOD_x; NULL: ssh_prefs */
    int port;
    int family;
    struct plat_ssh_exec *over; /* the channel that it runs over, or NULL */
    char *over_name;            /* whose channel that is */
    struct plat_proc *proxy;    /* the program that it runs over, or NULL */
    bool proxy_eof;             /* that has closed its output */
    bool proxy_silent;          /* and will not say why */
    double connect_timeout;
    double alive_interval; /* seconds of silence until the server is asked, 0: never */
    int alive_count;       /* questions without an answer */
    int unanswered;
    bool heard;          /* since it was looked at last */
    size_t unread;       /* bytes, then */
    uint64_t connect_by; /* uv_hrtime, 0: none */
    double handshake_timeout;

    char *host_key; /* as the caller saw it; NULL: not known yet */
    size_t host_key_len;
    const char *lib_host_key; /* the library's copy, that nobody has freed */
    bool other_host_key;      /* the server came with another one */

    void *loose[SSH_LOOSE]; /* what the library may forget to free */
    struct plat_buf out;
    struct plat_buf tap; /* until the handshake is over */
    const char *mismatch;
    bool tapping;
    bool dry;     /* the socket had no more in this drive */
    bool held;    /* input waits for room in the queue */
    bool got;     /* something was received in this pass over the commands */
    bool tried;   /* in this drive somebody tried to receive */
    bool eof;     /* the server ended the connection */
    bool flooded; /* it sends and sends, and no banner */
    bool asking;  /* for a channel */
    bool abort;   /* what waits for an answer shall fail */
    int send_err; /* errno of what broke the connection */

    struct ssh_login login;
    struct plat_err auth_err;
    char *methods;
    const char *lib_methods; /* the library's copy, that nobody has freed */
    bool partial;            /* the last attempt was right, and the server wants more */
    bool answered;           /* the last attempt: the password was given to a question */
    struct plat_buf notice;  /* banners and instructions */
    unsigned char *mail[16]; /* memory of the library that may hold a banner */
    size_t mail_size[16];
    unsigned next_mail;
    bool key_taken;     /* the last attempt: the server would take this key */
    char question[100]; /* the last attempt: what nobody answered */
    bool told_end;      /* the server said that it ends the connection: goodbye */
    char goodbye[100];

    struct plat_ssh_exec *execs;    /* all, in the order of their start */
    struct plat_ssh_exec *due;      /* whose owners are to be told something */
    struct plat_ssh_exec *opening;  /* whose channel is being opened */
    struct plat_ssh_exec *starting; /* whose channel is asked to run something */
    LIBSSH2_CHANNEL *spare;         /* a closed one: what an idle session is read through */
    void *asked;                    /* memory of the channel that is being opened, perhaps */
    LIBSSH2_CHANNEL *forgotten;     /* of one that was not opened: see ssh_exec_ask.c */
    struct plat_ssh_forward *forwards;
    int channels; /* open ones that count for sshd's MaxSessions */
    int max_channels;
    int open_reason;   /* why the server has opened no channel */
    char open_why[80]; /* and its words for it */
    char **env;        /* names and values in turn, for each command */
    size_t env_n;      /* of both together */
    bool resting;      /* no channel is opened until the timer */
    bool had_channel;  /* one could be opened before */
};

enum ssh_exec_state {
    SSH_EXEC_WAITING,  /* for a channel */
    SSH_EXEC_OPENING,  /* s->opening */
    SSH_EXEC_STARTING, /* the server was asked to run it */
    SSH_EXEC_RUNNING,
    SSH_EXEC_ENDED, /* and no more in the session's list */
};

struct plat_ssh_exec {
    struct plat_ssh *s;
    struct plat_ssh_exec *next, **link;
    struct plat_ssh_exec *due_next, **due_link; /* NULL: nothing to tell */
    LIBSSH2_CHANNEL *channel;
    void (*on_event)(void *arg);
    void *arg;
    struct plat_op *waiting; /* for the end; streamed: for output */
    struct plat_op *writing; /* for the input to be sent */
    struct plat_err err;
    enum ssh_exec_state state;
    enum plat_ssh_kind kind;
    char *command; /* what is run; of a connection: its part of the message that opens it */
    size_t command_len;
    const char *input;
    size_t input_len;
    struct plat_buf out[2];
    struct plat_ssh_status status;
    uint32_t number; /* of its channel, here */
    int refusals;    /* of its channel */
    size_t env_at;   /* of the session's, what is sent next */
    bool told;       /* the server has told the exit status */
    bool sent;       /* the server may have begun */
    bool stream;     /* output is taken in pieces */
    bool more_input; /* the end of input is not sent yet */
    bool broken;     /* a part of its input is missing: no more of it is sent, and no end */
    bool pty;        /* a terminal is still to be asked for */
    bool eof_sent;   /* the end of input */
    bool eof;        /* no output comes any more */
    bool wants_room; /* a push was short */
    bool await_open; /* the waiter wants to know that it is open */
    bool opened;     /* the server has begun */
    bool cut;        /* nobody wants its output */
    bool orphan;     /* the owner has given it up */
};

/* ssh.c */
void ssh_drive(struct plat_ssh *s); /* does what can be done without waiting */
void ssh_lose(struct plat_ssh *s, const struct plat_err *err);
void ssh_lose_lib(struct plat_ssh *s, int rc, const char *op); /* by an error of the library */
void ssh_set_timer(struct plat_ssh *s, double seconds);        /* 0: stops it */
void ssh_wake(struct plat_op **slot);
void ssh_deliver_soon(struct plat_ssh *s);

/* ssh_lost.c */
void ssh_lost_explain(struct plat_ssh *s, int rc, const char *op, struct plat_err *err);

/* ssh_queue.c */
void ssh_queue_hook(struct plat_ssh *s);
void ssh_queue_flush(struct plat_ssh *s);

/* ssh_way.c */
bool ssh_way_start(struct plat_ssh *s, const struct plat_ssh_opts *opts, struct plat_err *err);
void ssh_way_end(struct plat_ssh *s);
ssize_t ssh_way_recv(struct plat_ssh *s, void *data, size_t len); /* as recv() */
ssize_t ssh_way_send(struct plat_ssh *s, const void *data, size_t len);
void ssh_way_idle(struct plat_ssh *s);    /* nobody reads: sees an end */
int ssh_way_fd(const struct plat_ssh *s); /* the socket below all */
bool ssh_way_explain(struct plat_ssh *s, const char *op, struct plat_err *err); /* false: cannot */
void ssh_way_give_up(struct plat_ssh *s);

/* ssh_forward.c */
void ssh_forward_lost(struct plat_ssh *s);

/* ssh_alive.c */
void ssh_alive_start(struct plat_ssh *s);
void ssh_alive_look(struct plat_ssh *s);

/* ssh_tick.c */
void ssh_tick_in(struct plat_ssh *s, enum ssh_tick which, double seconds); /* 0: stops it */

/* ssh_memory.c */
LIBSSH2_SESSION *ssh_memory_session(struct plat_ssh *s);
void ssh_memory_sweep(struct plat_ssh *s); /* when the library's session is freed */
bool ssh_memory_keep_host_key(struct plat_ssh *s);
void ssh_memory_watch_host_key(struct plat_ssh *s); /* at least once an exchange */

/* ssh_connect.c */
bool ssh_connect_start(struct plat_ssh *s, struct plat_err *err);
void ssh_connect_event(struct plat_ssh *s); /* the socket became writable */
void ssh_connect_timeout(struct plat_ssh *s);
void ssh_handshake_begin(struct plat_ssh *s);
void ssh_handshake(struct plat_ssh *s);
bool ssh_watch(struct plat_ssh *s, int fd);
void ssh_unwatch(struct plat_ssh *s); /* closes the handle, and then the descriptor */

/* ssh_kex.c */
extern const char *const ssh_prefs[10]; /* by LIBSSH2_METHOD_x; NULL: the library's */
/* Of a list of names, prefers those that the library knows.  False: it knows none. */
bool ssh_kex_prefer(struct plat_ssh *s, int method, const char *list);
bool ssh_kex_want(struct plat_ssh *s, const struct plat_ssh_opts *opts); /* copies; false: memory */
bool ssh_kex_set(struct plat_ssh *s, struct plat_err *err);
bool ssh_kex_explain(struct plat_ssh *s, struct plat_err *err); /* false: nothing is known */

/* ssh_auth.c */
void ssh_auth_step(struct plat_ssh *s);
void ssh_auth_end(struct plat_ssh *s);

/* ssh_cert.c */
bool ssh_cert_usable(const char *cert, size_t len); /* by this libssh2 */
void ssh_cert_begin(struct ssh_login *login);       /* the blob is known */
bool ssh_cert_sign(struct ssh_login *login, unsigned char **sig, size_t *len);
void ssh_cert_on_alloc(struct ssh_login *login, void *p, size_t n);
void ssh_cert_on_free(struct ssh_login *login, void *p);

/* ssh_said.c */
void ssh_said_hook(struct plat_ssh *s);
void ssh_said_on_alloc(struct plat_ssh *s, unsigned char *p, size_t n);
void ssh_said_on_free(struct plat_ssh *s, const unsigned char *p);
/* The server went away before it said who it is.  False: it did not. */
bool ssh_said_before_banner(const struct plat_ssh *s, int rc, struct plat_err *err);
bool ssh_said_banner(const struct plat_ssh *s);
bool ssh_said_old(const struct plat_ssh *s); /* its banner is of SSH 1 */
void ssh_said_collect(struct plat_ssh *s);   /* before the library is freed */
void ssh_said_questions(const char *name, int name_len, const char *instruction,
                        int instruction_len, int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
                        LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract);
/* Keeps one line of at most `size` bytes; what a terminal would obey becomes a blank. */
void ssh_said_keep(char *ret, size_t size, const char *text, size_t len);

/* ssh_status.c */
void ssh_status_on_free(struct plat_ssh *s, unsigned char *p); /* memory of the library */

/* ssh_exec.c */
void ssh_exec_end(struct plat_ssh_exec *e); /* the channel is closed, or there is none */
void ssh_exec_cut(struct plat_ssh_exec *e); /* its answer is known: the rest is thrown away */
void ssh_exec_lost(struct plat_ssh *s);

/* ssh_exec_ask.c */
LIBSSH2_CHANNEL *ssh_exec_ask(struct plat_ssh_exec *e); /* libssh2_channel_open_ex */
void ssh_exec_on_alloc(struct plat_ssh *s, void *p, size_t n);
bool ssh_exec_on_free(struct plat_ssh *s, void *p); /* true: it is kept */
void ssh_exec_unforget(struct plat_ssh *s);

/* ssh_exec_open.c: true when something changed that another channel may wait for */
bool ssh_exec_open(struct plat_ssh_exec *e);
bool ssh_exec_start(struct plat_ssh_exec *e);
bool ssh_exec_may_open(const struct plat_ssh_exec *e);
bool ssh_exec_abort_open(struct plat_ssh_exec *e); /* of a connection: others shall not wait */
void ssh_exec_impatient(struct plat_ssh *s);
bool ssh_exec_counts(const struct plat_ssh_exec *e); /* for MaxSessions */
bool ssh_exec_connects(const struct plat_ssh_exec *e);
/* What opens a connection (RFC 4254, 7.2; OpenSSH's PROTOCOL, 2.4).  malloc'ed; NULL: no memory */
char *ssh_exec_message(const struct plat_ssh_exec_opts *opts, size_t *ret_len);

/* ssh_exec_stream.c */
void ssh_exec_tell(struct plat_ssh_exec *e); /* who waits for it: something came */
void ssh_exec_untell(struct plat_ssh_exec *e);
void ssh_exec_ask_for_room(struct plat_ssh *s);
void ssh_exec_deliver(struct plat_ssh *s);
void ssh_exec_wrote(struct plat_ssh_exec *e); /* the input was sent, or never will be */

/* ssh_exec_step.c */
void ssh_exec_step(struct plat_ssh *s);
bool ssh_exec_send(struct plat_ssh_exec *e, const char **data, size_t *len); /* false: lost */
