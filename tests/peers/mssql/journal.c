#include "journal.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { SQL_SHOWN = 200, LINE_MAX_BYTES = 4096 };

static int journal = -1;

int journal_open(const char *path)
{
    if (!path)
        return 0;
    journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return journal < 0 ? -1 : 0;
}

static const char *word(const char *text, char *ret, size_t size)
{
    size_t i = 0;

    for (; text[i] && i < size - 1; i++)
        ret[i] = (unsigned char)text[i] <= ' ' ? '_' : text[i];
    ret[i] = '\0';
    return ret[0] ? ret : "-";
}

/* The first characters (not bytes) of the statement on one line. */
static const char *shown(const char *sql, char *ret, size_t size)
{
    size_t used = 0;
    int characters = 0;

    for (; *sql && used < size - 1; sql++) {
        if (((unsigned char)*sql & 0xC0) != 0x80 && ++characters > SQL_SHOWN)
            break;
        ret[used++] = (unsigned char)*sql < ' ' ? ' ' : *sql;
    }
    ret[used] = '\0';
    return ret;
}

static void line_write(char *line, size_t size, int length)
{
    if (journal < 0 || length < 0)
        return;
    if ((size_t)length >= size) {
        length = (int)size - 1;
        line[length - 1] = '\n';
    }
    ssize_t written = write(journal, line, (size_t)length);
    (void)written; /* a full disk loses the journal, never an answer */
}

void journal_login(const Connection *connection, const Login *login, int32_t refused)
{
    char line[LINE_MAX_BYTES], user[257], database[257], application[257], host[257];
    const char *encrypt = connection->encrypted ? "on" : connection->ssl ? "login" : "off";
    int length = snprintf(
        line, sizeof line,
        "login spid=%d user=%s database=%s application=%s host=%s version=%08x packet_size=%u "
        "encrypt=%s read_only=%d refused=%d\n",
        connection->spid, word(login->user, user, sizeof user), word(login->database, database, sizeof database),
        word(login->application, application, sizeof application), word(login->host, host, sizeof host), login->version,
        login->packet_size, encrypt, login->read_only_intent, refused);

    line_write(line, sizeof line, length);
}

void journal_statement(const Connection *connection, const Login *login, const char *database, const char *kind,
                       int parameters, const Answer *answer, int64_t us, const char *sql)
{
    char line[LINE_MAX_BYTES], where[257], application[257], text[SQL_SHOWN * 4 + 1];
    int length = snprintf(line, sizeof line,
                          "statement spid=%d database=%s application=%s read_only=%d kind=%s parameters=%d rows=%llu "
                          "error=%d bytes=%llu us=%lld sql=%s\n",
                          connection->spid, word(database, where, sizeof where),
                          word(login->application, application, sizeof application), login->read_only_intent, kind,
                          parameters, (unsigned long long)answer->rows, answer->error_number,
                          (unsigned long long)(connection->bytes_sent + connection->used), (long long)us,
                          shown(sql, text, sizeof text));

    line_write(line, sizeof line, length);
}
