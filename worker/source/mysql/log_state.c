/* log_state.c - see log_state.h */
#include "source/mysql/log_state.h"
#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MYSQL_STATUS_RENAMED 80200

static int log_off(const Session *session, Error *error)
{
    return error_set_code(error, ERROR_PERMANENT, LOG_OFF_CODE, "Put log_bin into the server's configuration and start it again; sluice.check_source shows every step.",
                     "%s writes no binary log", session->target);
}

/* A set is printed with line ends between its members. */
static void spaces_drop(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text != '\n' && *text != '\r' && *text != ' ')
            *to++ = *text;
    }
    *to = 0;
}

int log_state_end(Session *session, LogState *state, Error *error)
{
    bool renamed = !session->mariadb && session->version >= MYSQL_STATUS_RENAMED;
    MYSQL_RES *rows;
    MYSQL_ROW row;
    int status = 0;

    if (session_select(session, renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS", &rows, error) < 0)
        return -1;
    row = mysql_fetch_row(rows);
    if (!row || !row[0] || !row[1]) {
        status = log_off(session, error);
    } else if (log_file_number(row[0], &state->end.file) < 0) {
        status = error_set(error, ERROR_PERMANENT, NULL, "the log file \"%.200s\" of %s has no number", row[0], session->target);
    } else {
        snprintf(state->file, sizeof state->file, "%s", row[0]);
        state->end.offset = strtoull(row[1], NULL, 10);
        if (!session->mariadb && state->gtids && mysql_num_fields(rows) > 4) {
            free(state->gtid);
            state->gtid = strdup(row[4] ? row[4] : "");
            if (state->gtid)
                spaces_drop(state->gtid);
        }
    }
    mysql_free_result(rows);
    return status;
}

/* The first row names the oldest file. */
static int log_low(Session *session, LogState *state, Error *error)
{
    MYSQL_RES *rows;
    MYSQL_ROW row;
    int status = 0;

    if (session_select(session, "SHOW BINARY LOGS", &rows, error) < 0)
        return -1;
    row = mysql_fetch_row(rows);
    if (!row || !row[0] || log_file_number(row[0], &state->low.file) < 0)
        status = log_off(session, error);
    state->low.offset = LOG_FILE_BEGIN;
    mysql_free_result(rows);
    return status;
}

int log_state_read(Session *session, LogState *ret, Error *error)
{
    const char *text = session->mariadb ? "SELECT @@global.server_id, DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ'), @@global.read_only, "
                                          "@@global.lower_case_table_names, 'ON', @@global.gtid_binlog_pos"
                                        : "SELECT @@global.server_uuid, DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ'), @@global.read_only, "
                                          "@@global.lower_case_table_names, @@global.gtid_mode, ''";
    MYSQL_RES *rows;
    MYSQL_ROW row;

    memset(ret, 0, sizeof *ret);
    if (session_select(session, text, &rows, error) < 0)
        return -1;
    row = mysql_fetch_row(rows);
    if (row) {
        snprintf(ret->server, sizeof ret->server, "%s", row[0] ? row[0] : "");
        snprintf(ret->time, sizeof ret->time, "%s", row[1] ? row[1] : "");
        ret->read_only = row[2] && strcmp(row[2], "0") != 0;
        ret->fold = row[3] && strcmp(row[3], "0") != 0;
        ret->gtids = row[4] && strcmp(row[4], "ON") == 0;
        if (session->mariadb)
            ret->gtid = strdup(row[5] ? row[5] : "");
    }
    mysql_free_result(rows);
    if (log_state_end(session, ret, error) < 0 || log_low(session, ret, error) < 0) {
        log_state_free(ret);
        return -1;
    }
    return 0;
}

void log_state_free(LogState *state)
{
    free(state->gtid);
    state->gtid = NULL;
}

int log_state_gtid(Session *session, const LogState *state, char **ret, Error *error)
{
    Buffer text;
    int status;

    *ret = NULL;
    if (!session->mariadb) {
        if (state->gtids && state->gtid)
            *ret = strdup(state->gtid);
        return 0;
    }
    buffer_init(&text, KIB(4));
    status = buffer_text(&text, "SELECT BINLOG_GTID_POS(", error);
    if (status == 0)
        status = session_quote(&text, state->file, strlen(state->file), error);
    if (status == 0)
        status = buffer_format(&text, error, ", %" PRIu64 ")", state->end.offset);
    if (status == 0)
        status = buffer_terminate(&text, error);
    if (status == 0)
        status = session_value(session, text.data, ret, error);
    buffer_free(&text);
    return status;
}

cJSON *log_state_mark(const LogState *state, const char *gtid)
{
    cJSON *mark = cJSON_CreateObject();

    cJSON_AddStringToObject(mark, "server", state->server);
    cJSON_AddStringToObject(mark, "file", state->file);
    cJSON_AddNumberToObject(mark, "offset", (double)state->end.offset);
    if (gtid)
        cJSON_AddStringToObject(mark, "gtid", gtid);
    else
        cJSON_AddNullToObject(mark, "gtid");
    cJSON_AddArrayToObject(mark, "xa");
    return mark;
}

/* The last sequence number of a domain in "0-1-55,7-2-3"; 0: none. */
static uint64_t domain_sequence(const char *gtid, unsigned long domain)
{
    while (gtid && *gtid) {
        char *end;
        unsigned long found = strtoul(gtid, &end, 10);
        uint64_t sequence = 0;

        if (*end == '-' && (end = strchr(end + 1, '-')))
            sequence = strtoull(end + 1, NULL, 10);
        if (found == domain)
            return sequence;
        gtid = strchr(gtid, ',');
        gtid = gtid ? gtid + 1 : NULL;
    }
    return 0;
}

/* MariaDB: the log must hold at least as many transactions of each domain as we have seen. */
static bool domains_behind(const char *seen, const char *now)
{
    for (const char *at = seen; at && *at;) {
        unsigned long domain = strtoul(at, NULL, 10);

        if (domain_sequence(now, domain) < domain_sequence(seen, domain))
            return true;
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return false;
}

/* 1: `gtid` is not within what the server has executed and `owned`. */
static int set_beyond(Session *session, const char *gtid, const char *owned, Error *error)
{
    char *value = NULL;
    int status = -1;
    Buffer text;

    buffer_init(&text, MIB(16));
    if (buffer_text(&text, "SELECT GTID_SUBSET(GTID_SUBTRACT(", error) == 0 && session_quote(&text, gtid, strlen(gtid), error) == 0 &&
        buffer_text(&text, ", @@global.gtid_executed), ", error) == 0 && session_quote(&text, owned, strlen(owned), error) == 0 &&
        buffer_text(&text, ")", error) == 0 && buffer_terminate(&text, error) == 0 && session_value(session, text.data, &value, error) == 0)
        status = value && strcmp(value, "0") == 0;
    free(value);
    buffer_free(&text);
    return status;
}

/* "uuid:8#12:9#13" without the numbers of the threads. */
static void threads_drop(char *owned)
{
    char *to = owned;

    for (const char *from = owned; *from;) {
        if (*from == '#')
            from += 1 + strspn(from + 1, "0123456789");
        else
            *to++ = *from++;
    }
    *to = 0;
}

/* MySQL. 1: the server knows nothing of a part of the set. What stands in the log may still be on its way into the engine, for as long as a slow disk or a
 * semi-synchronous replica takes: such a transaction is owned, and executed a moment later, so what is owned must be asked first. */
static int set_missing(Session *session, const char *gtid, Error *error)
{
    int missing = set_beyond(session, gtid, "", error);
    char *owned = NULL;

    if (missing <= 0)
        return missing;
    if (session_value(session, "SELECT @@global.gtid_owned", &owned, error) < 0)
        return -1;
    if (owned)
        threads_drop(owned);
    missing = set_beyond(session, gtid, owned ? owned : "", error);
    free(owned);
    return missing;
}

int log_state_rewound(Session *session, const LogState *state, const cJSON *mark, char *why, size_t size, Error *error)
{
    const char *server = json_text(mark, "server", NULL), *gtid = json_text(mark, "gtid", NULL);
    LogPosition seen = {.offset = (uint64_t)json_integer(mark, "offset", 0)};
    int missing = 0;

    if (server && strcmp(server, state->server) != 0) {
        snprintf(why, size, "another server answers: %.60s in the place of %.60s", state->server, server);
        return 1;
    }
    if (log_file_number(json_text(mark, "file", ""), &seen.file) == 0 && log_position_compare(state->end, seen) < 0) {
        snprintf(why, size, "the log ends at %.100s:%" PRIu64 ", but was read up to %.100s:%" PRIu64, state->file, state->end.offset,
                 json_text(mark, "file", ""), seen.offset);
        return 1;
    }
    if (gtid && *gtid && state->gtids)
        missing = session->mariadb ? domains_behind(gtid, state->gtid) : set_missing(session, gtid, error);
    if (missing > 0)
        snprintf(why, size, "the log lacks transactions that were read from it (RESET MASTER, or an older backup): %.200s", gtid);
    return missing;
}
