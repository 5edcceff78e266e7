/* What the files sftp*.c share.  Nobody else includes it. */
#pragma once

#include "io/sftp.h"

enum {
    SFTP_PACKET_MAX = 256 * 1024,        /* as OpenSSH's */
    SFTP_CHUNK = 32 * 1024,              /* what every server takes */
    SFTP_CHUNK_MAX = 255 * 1024,         /* what OpenSSH takes */
    SFTP_WINDOW = 64,                    /* requests of one copy that are under way */
    SFTP_WINDOW_BYTES = 2 * 1024 * 1024, /* and what they carry */
    SFTP_OUTPUT_HIGH = 256 * 1024,       /* output from which on copies wait */
    SFTP_HANDLE_MAX = 256,
};

enum sftp_type {
    SFTP_INIT = 1,
    SFTP_VERSION = 2,
    SFTP_T_OPEN = 3,
    SFTP_T_CLOSE = 4,
    SFTP_T_READ = 5,
    SFTP_T_WRITE = 6,
    SFTP_T_LSTAT = 7,
    SFTP_T_FSTAT = 8,
    SFTP_T_SETSTAT = 9,
    SFTP_T_FSETSTAT = 10,
    SFTP_T_OPENDIR = 11,
    SFTP_T_READDIR = 12,
    SFTP_T_REMOVE = 13,
    SFTP_T_MKDIR = 14,
    SFTP_T_RMDIR = 15,
    SFTP_T_REALPATH = 16,
    SFTP_T_STAT = 17,
    SFTP_T_RENAME = 18,
    SFTP_T_READLINK = 19,
    SFTP_STATUS = 101,
    SFTP_HANDLE = 102,
    SFTP_DATA = 103,
    SFTP_NAME = 104,
    SFTP_ATTRS = 105,
    SFTP_T_EXTENDED = 200,
    SFTP_EXTENDED_REPLY = 201,
};

enum sftp_code { SFTP_OK, SFTP_EOF, SFTP_NO_SUCH_FILE, SFTP_DENIED, SFTP_FAILURE };

/* ---- sftp_wire.c: bytes and numbers ---- */

struct sftp_cursor { /* over bytes that came; a read beyond the end fails and stays failed */
    const unsigned char *p, *end;
    bool bad;
};

uint32_t sftp_get_u32(struct sftp_cursor *c);
uint64_t sftp_get_u64(struct sftp_cursor *c);
const char *sftp_get_string(struct sftp_cursor *c, size_t *ret_len);
void sftp_get_attrs(struct sftp_cursor *c, struct plat_sftp_attrs *ret);

struct sftp_answer { /* borrows the packet */
    int type;
    uint32_t id;
    uint32_t code;    /* STATUS */
    const char *text; /* STATUS: the words; HANDLE, DATA; NAME, EXTENDED_REPLY: all that follows */
    size_t len;
    uint32_t count; /* NAME */
    struct plat_sftp_attrs attrs;
};

/* Parses an answer, without its length.  False: *ret_why says what is wrong. */
bool sftp_parse(const char *packet, size_t len, struct sftp_answer *ret, const char **ret_why);

/* Of a status that is not SFTP_OK. */
void sftp_status_err(const struct sftp_answer *answer, const char *op, struct plat_err *ret);

/* A packet is put together at the end of a buffer: begin, fields, end.  Out of memory shows at its
 * end, and leaves the buffer as it was. */
struct sftp_packet {
    struct plat_buf *buf;
    size_t start; /* length of the buffer before */
    bool bad;
};

void sftp_begin(struct sftp_packet *p, struct plat_buf *buf, int type);
void sftp_put_u32(struct sftp_packet *p, uint32_t n);
void sftp_put_u64(struct sftp_packet *p, uint64_t n);
void sftp_put_string(struct sftp_packet *p, const void *s, size_t len);
void sftp_put_attrs(struct sftp_packet *p, const struct plat_sftp_attrs *attrs);
char *sftp_put_room(struct sftp_packet *p, size_t len); /* a string to be filled; NULL: no memory */
void sftp_fill(struct sftp_packet *p, size_t len, size_t filled); /* its first bytes only */
void sftp_undo(struct sftp_packet *p);
bool sftp_end(struct sftp_packet *p);

/* ---- sftp.c: the session ---- */

struct sftp_request {
    struct sftp_request *next, **link; /* in s->requests, oldest first */
    uint32_t id;
    unsigned expects; /* bits of SFTP_EXPECT */
    bool opens;       /* its handle is closed again when nobody wants it */
    void *owner;      /* NULL: nobody waits any more */
    /* Takes the answer; NULL: the session is lost.  The request is gone afterwards. */
    void (*done)(struct sftp_request *r, const struct sftp_answer *answer);
    uint64_t offset; /* of copies */
    uint32_t len;
};

enum sftp_expect { /* by SFTP_EXPECT_BIT(type); refusals always are */
                   SFTP_EXPECT_STATUS = 1,
                   SFTP_EXPECT_HANDLE = 2,
                   SFTP_EXPECT_DATA = 4,
                   SFTP_EXPECT_NAME = 8,
                   SFTP_EXPECT_ATTRS = 16,
                   SFTP_EXPECT_REPLY = 32,
};

#define SFTP_EXPECT_BIT(type)                                                                      \
    ((type) == SFTP_EXTENDED_REPLY ? (unsigned)SFTP_EXPECT_REPLY : 1u << ((type)-SFTP_STATUS))

struct plat_sftp {
    void (*on_output)(void *arg);
    void *arg;
    struct plat_buf in, out;
    struct plat_err err;     /* of kind 0: it lives */
    struct plat_op *waiting; /* for ready */
    bool ready;
    bool quiet; /* on_output is called later */
    unsigned extensions;
    uint32_t last_id;
    uint32_t max_read, max_write;
    struct sftp_request *requests;
    struct sftp_request **requests_end;
    struct plat_sftp_copy *copies; /* under way; the next to ask comes first */
    struct plat_sftp_file *files;
};

struct plat_sftp_file {
    struct plat_sftp *s; /* NULL: closed, or the session is gone */
    struct plat_sftp_file *next, **link;
    size_t len;
    char handle[SFTP_HANDLE_MAX];
};

/* A new request, in the list; NULL: memory is out.  Its packet has the number r->id. */
struct sftp_request *sftp_request_new(struct plat_sftp *s, unsigned expects, void *owner,
                                      void (*done)(struct sftp_request *,
                                                   const struct sftp_answer *));
void sftp_request_drop(struct plat_sftp *s, struct sftp_request *r);
void sftp_break(struct plat_sftp *s, const char *why); /* the server broke the rules */
void sftp_wake(struct plat_op **slot);
void sftp_output(struct plat_sftp *s); /* something was added */

/* ---- sftp_call.c ---- */
void sftp_close_handle(struct plat_sftp *s, const char *handle, size_t len); /* nobody waits */
struct plat_sftp_file *sftp_file_new(struct plat_sftp *s, const char *handle, size_t len);

/* ---- sftp_copy.c ---- */
void sftp_copy_pump(struct plat_sftp *s); /* asks for what there is room for */
void sftp_copy_lost(struct plat_sftp *s);
