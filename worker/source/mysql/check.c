/* check.c - the doctor of a source: options, dns, tcp, tls, login, kind here; the log and the rights in files of their own */
#include "source/mysql/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libmariadb, errmsg.h */
#define ERROR_TLS 2026
#define ERROR_TLS_REQUIRED 3159

static const char *const steps_login[] = {"tls", "login", "kind"};
static const char *const steps_server[] = {"log_bin", "server_id", "binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_row_value_options", "gtid",
                                           "retention", "binlog_filter", "replica", "rights"};

static void skip_all(Check *check, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_skip(check, names[i], check->host);
}

static void skip_server(Check *check)
{
    skip_all(check, steps_server, sizeof steps_server / sizeof *steps_server);
}

/* Which step a failed login belongs to: 0 tls, 1 login, 2 kind (the server answered and took us, but is of the other kind or too old). */
static int login_step(const Error *failure)
{
    int number = (int)strtol(failure->code, NULL, 10);

    if (number == ERROR_TLS || number == ERROR_TLS_REQUIRED)
        return 0;
    return number ? 1 : 2;
}

static void login_told(Check *check, const Error *failure, const char *tls, const char *server)
{
    static const char *const wanted[] = {"an agreed TLS session", "a login that the server accepts", "a server of the kind the source was added as"};
    const int failed = failure ? login_step(failure) : 3;
    char found[1100];

    for (int step = 0; step < 3; step++) {
        const char *object = step == 1 ? check->user : check->host;

        if (step < failed) {
            check_step(check, steps_login[step], object, true, CHECK_INFO, step == 0 ? tls : step == 2 ? server : NULL, NULL, NULL);
        } else if (step == failed) {
            snprintf(found, sizeof found, "%s%s%s", failure->message, failure->hint[0] ? " HINT: " : "", failure->hint);
            check_step(check, steps_login[step], object, false, CHECK_ERROR, found, wanted[step], NULL);
        } else {
            check_skip(check, steps_login[step], object);
        }
    }
}

int check_ask(MySql *source, const char *text, MYSQL_RES **ret, Error *failure)
{
    if (session_select(&source->session, text, ret, failure) == 0)
        return 0;
    return failure->kind == ERROR_INTERRUPTED || failure->kind == ERROR_TRANSIENT ? -1 : 1;
}

int check_user(MySql *source, char *ret, size_t size, Error *error)
{
    char *user = NULL, *host;

    if (session_value(&source->session, "SELECT CURRENT_USER()", &user, error) < 0)
        return -1;
    host = user ? strrchr(user, '@') : NULL;
    if (host)
        snprintf(ret, size, "'%.*s'@'%s'", (int)(host - user), user, host + 1);
    else
        snprintf(ret, size, "CURRENT_USER");
    free(user);
    return 0;
}

static int check_server(Check *check, bool mariadb, const cJSON *options, const char *password, Beat beat, Error *error)
{
    char tls[120], server[120];
    const char *cipher;
    MySql *source;
    Source *base;
    Error failure;
    int status;

    check_begin(check);
    if (mysql_source_open(mariadb, options, password, beat, &base, &failure) < 0) {
        if (failure.kind == ERROR_INTERRUPTED) {
            *error = failure;
            return -1;
        }
        login_told(check, &failure, NULL, NULL);
        skip_server(check);
        return 0;
    }
    source = (MySql *)base;
    cipher = mysql_get_ssl_cipher(source->session.mysql);
    snprintf(tls, sizeof tls, "%s%s%s", cipher ? "encrypted: " : "not encrypted", cipher ? cipher : "",
             cipher && !source->options.ca_file ? ", certificate not verified" : "");
    snprintf(server, sizeof server, "%s %s", source->session.mariadb ? "MariaDB" : "MySQL", source->session.server);
    login_told(check, NULL, tls, server);
    status = check_log(check, source, error);
    if (status == 0)
        status = check_rights(check, source, error);
    mysql_source_close(base);
    return status;
}

int mysql_source_check(bool mariadb, const cJSON *options, const char *password, Beat beat, cJSON **answer, Error *error)
{
    Check check = {.stopped = false};
    SessionOptions login = {.mariadb = mariadb};
    Error failure;
    int status = 0;

    check.steps = cJSON_CreateArray();
    check_begin(&check);
    if (session_options_read(options, &login, &failure) < 0) {
        check_step(&check, "options", NULL, false, CHECK_ERROR, failure.message, failure.hint, NULL);
        check_skip(&check, "dns", NULL);
        check_skip(&check, "tcp", NULL);
    } else {
        check.host = login.host, check.port = login.port, check.user = login.user, check.login_timeout_s = login.login_timeout_s;
        status = check_network(&check, beat, error);
    }
    if (status == 0 && check.stopped) {
        skip_all(&check, steps_login, sizeof steps_login / sizeof *steps_login);
        skip_server(&check);
    } else if (status == 0) {
        status = check_server(&check, mariadb, options, password, beat, error);
    }
    if (status < 0) {
        cJSON_Delete(check.steps);
        return -1;
    }
    *answer = check.steps;
    return 0;
}
