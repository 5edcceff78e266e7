/* What the server says in words: questions to answer, and why it ends the connection. */
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

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

    (void)name;
    (void)name_len;
    (void)instruction;
    (void)instruction_len;
    for (int i = 0; i < n; i++) {
        if (prompts[i].echo || login->answered) { /* responses are zeroed: an empty answer */
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
        login->answered = true;
    }
}
