/* check.c - the doctor of a source, step by step: dns, tcp, tls, login, database here; the rest in check_database.c */
#include "source/sqlserver/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which step of the login a failure belongs to. */
typedef enum LoginStep { STEP_TLS, STEP_LOGIN, STEP_DATABASE } LoginStep;

static LoginStep login_step(const Error *failure)
{
    int number = (int)strtol(failure->code, NULL, 10);

    if (number == 4060 || number == 4064 || number == 911 || number == 916 || number == 927 || number == 976 ||
        number == 978)
        return STEP_DATABASE;
    /* A number of SQL Server's own says that TLS was agreed; DB-Library's begin at 20001. */
    if (number > 0 && (number < 20000 || number > 20200))
        return STEP_LOGIN;
    return number == SYBEPWD ? STEP_LOGIN : STEP_TLS;
}

static void login_told(Check *check, const Error *failure, const char *tls)
{
    static const char *const names[] = {[STEP_TLS] = "tls", [STEP_LOGIN] = "login", [STEP_DATABASE] = "database"};
    const char *objects[] = {
        [STEP_TLS] = check->host, [STEP_LOGIN] = check->user, [STEP_DATABASE] = check->database};
    static const char *const wanted[] = {[STEP_TLS] = "an agreed TLS session or a server that answers the login",
                                         [STEP_LOGIN] = "a login that the server accepts",
                                         [STEP_DATABASE] = "a database that the login may open"};
    LoginStep failed = failure ? login_step(failure) : STEP_DATABASE + 1;

    for (LoginStep step = STEP_TLS; step <= STEP_DATABASE; step++) {
        char found[1100];

        if (step < failed) {
            check_step(check, names[step], objects[step], true, CHECK_INFO, step == STEP_TLS ? tls : NULL, NULL, NULL);
        } else if (step == failed) {
            snprintf(found, sizeof found, "%s%s%s", failure->message, failure->hint[0] ? " HINT: " : "", failure->hint);
            check_step(check, names[step], objects[step], false, CHECK_ERROR, found, wanted[step], NULL);
        } else {
            check_skip(check, names[step], objects[step]);
        }
    }
}

static void skip_login(Check *check)
{
    check_skip(check, "tls", check->host);
    check_skip(check, "login", check->user);
    check_skip(check, "database", check->database);
}

static void skip_database(Check *check)
{
    static const char *const names[] = {"cdc", "rights", "agent", "capture_job", "retention", "lob_size"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check_skip(check, names[i], check->database);
}

static int check_server(Check *check, const cJSON *options, const char *password, Beat beat, Error *error)
{
    Source *source = NULL;
    char word[64];
    Error failure;
    int status;

    check_begin(check);
    if (sqlserver_open(options, password, beat, &source, &failure) < 0) {
        if (failure.kind == ERROR_INTERRUPTED) {
            *error = failure;
            return -1;
        }
        login_told(check, &failure, NULL);
        skip_database(check);
        return 0;
    }
    sqlserver_encrypt_option((SqlServer *)source, word);
    login_told(check, NULL,
               strcmp(word, "TRUE") == 0    ? "encrypted"
               : strcmp(word, "FALSE") == 0 ? "not encrypted"
                                            : "agreed; VIEW SERVER STATE would tell whether it is encrypted");
    status = check_database(check, (SqlServer *)source, error);
    sqlserver_close(source);
    return status;
}

int sqlserver_check(const cJSON *options, const char *password, Beat beat, cJSON **answer, Error *error)
{
    Check check = {.stopped = false};
    LoginOptions login;
    Error failure;
    int status = 0;

    check.steps = cJSON_CreateArray();
    check_begin(&check);
    if (login_options_read(options, &login, &failure) < 0) {
        check_step(&check, "options", NULL, false, CHECK_ERROR, failure.message, failure.hint, NULL);
        check_skip(&check, "dns", NULL);
        check_skip(&check, "tcp", NULL);
        skip_login(&check);
        skip_database(&check);
    } else {
        check.host = login.host, check.port = login.port, check.instance = login.instance;
        check.user = login.user, check.database = login.database, check.login_timeout_s = login.login_timeout_s;
        status = check_network(&check, beat, error);
        if (status == 0 && check.stopped) {
            skip_login(&check);
            skip_database(&check);
        } else if (status == 0) {
            status = check_server(&check, options, password, beat, error);
        }
    }
    if (status < 0) {
        cJSON_Delete(check.steps);
        return -1;
    }
    *answer = check.steps;
    return 0;
}
