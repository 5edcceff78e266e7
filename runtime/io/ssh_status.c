/*
 * Whether the server has told how a command ended, and why it opens no channel.
 *
 * libssh2 calls the status of a channel 0 until the server tells it, also when the server closes
 * the channel without a word.  That would be taken for success.  The library's messages pass by
 * here when it frees them: the one that opens a channel has our number of it, and the one with the
 * status has the same.  What a command prints cannot look like one: it comes behind a 94 or 95.
 *
 * Of a refusal the library tells the reason only as one of four texts, and not the server's words.
 */
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

enum {
    MSG_OPEN_CONFIRMATION = 91,
    MSG_OPEN_FAILURE = 92,
    MSG_CHANNEL_REQUEST = 98,
    OPENED_SIZE = 17,  /* byte, our number, the server's, window, packet */
    FAILURE_SIZE = 17, /* byte, our number, reason, words, language */
    STATUS_SIZE = 25,  /* byte, our number, "exit-status", byte, status */
};

static const char request[] = "\0\0\0\013exit-status";

static uint32_t number(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void keep_refusal(struct plat_ssh *s, const unsigned char *p, size_t size)
{
    size_t len = number(p + 9);

    s->open_reason = (int)number(p + 5);
    ssh_said_keep(s->open_why, sizeof(s->open_why), (const char *)p + 13,
                  len < size - 13 ? len : size - 13);
}

void ssh_status_on_free(struct plat_ssh *s, unsigned char *p)
{
    size_t size = p ? malloc_usable_size(p) : 0;
    struct plat_ssh_exec *e;

    if (size >= OPENED_SIZE && p[0] == MSG_OPEN_CONFIRMATION && s->opening) {
        s->opening->number = number(p + 1);
        p[0] = 0; /* whoever gets this memory next has not received it again */
    } else if (size >= FAILURE_SIZE && p[0] == MSG_OPEN_FAILURE && s->opening) {
        keep_refusal(s, p, size);
        p[0] = 0;
    } else if (size >= STATUS_SIZE && p[0] == MSG_CHANNEL_REQUEST &&
               !memcmp(p + 5, request, sizeof(request) - 1)) {
        for (e = s->execs; e; e = e->next)
            if (e->channel && e->number == number(p + 1))
                e->told = true;
        p[0] = 0;
    }
}
