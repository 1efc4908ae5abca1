/* message.c - which errors of SQL Server are worth another try, and what a person does about the others */
#include "source/sqlserver/connection.h"

#include <stdio.h>

typedef struct Known {
    int number;
    ErrorKind kind;
    const char *hint;
} Known;

/* Numbers: learn.microsoft.com, "Database Engine events and errors". */
static const Known known[] = {
    {18456, ERROR_PERMANENT,
     "Check user and password of the source; the server's log has the reason (state) of error 18456."},
    {18452, ERROR_PERMANENT,
     "The server does not accept this kind of login: use a SQL login, or kerberos or ntlm in the source's options."},
    {18470, ERROR_PERMANENT, "The login is disabled: ALTER LOGIN ... ENABLE."},
    {18486, ERROR_PERMANENT, "The login is locked out: ALTER LOGIN ... WITH PASSWORD = ... UNLOCK."},
    {18487, ERROR_PERMANENT, "The login's password has expired."},
    {18488, ERROR_PERMANENT, "The login's password must be changed."},
    {4060, ERROR_PERMANENT,
     "Check the option database of the source, and that the login has a user in it: CREATE USER ... FOR LOGIN ..."},
    {4064, ERROR_PERMANENT,
     "The login's default database cannot be opened: ALTER LOGIN ... WITH DEFAULT_DATABASE = ..."},
    {229, ERROR_PERMANENT, "Grant what is missing: the statements are in the fix_sql of sluice.check_source."},
    {230, ERROR_PERMANENT,
     "Grant SELECT on every captured column: the statements are in the fix_sql of sluice.check_source."},
    {262, ERROR_PERMANENT, "Grant what is missing: the statements are in the fix_sql of sluice.check_source."},
    {297, ERROR_PERMANENT, "Grant what is missing: the statements are in the fix_sql of sluice.check_source."},
    {300, ERROR_PERMANENT, "Grant what is missing: the statements are in the fix_sql of sluice.check_source."},
    {916, ERROR_PERMANENT, "The login has no user in the database: CREATE USER ... FOR LOGIN ..."},
    {207, ERROR_GONE, "A column is gone or renamed: CALL sluice.refresh of the source, then sluice.check_cdc."},
    {208, ERROR_GONE,
     "The table or its capture instance is gone: CALL sluice.refresh of the source, then sluice.check_cdc."},
    {911, ERROR_GONE, "The database does not exist any more."},
    {22901, ERROR_GONE,
     "Change data capture is not enabled in the database: the fix_sql of sluice.check_cdc enables it."},
    {1205, ERROR_TRANSIENT, NULL},
    {1222, ERROR_TRANSIENT, NULL},
    {-2, ERROR_TRANSIENT, NULL},
    {601, ERROR_TRANSIENT, NULL},
    {701, ERROR_TRANSIENT, NULL},
    {802, ERROR_TRANSIENT, NULL},
    {921, ERROR_TRANSIENT, NULL},
    {922, ERROR_TRANSIENT, NULL},
    {923, ERROR_TRANSIENT, NULL},
    {924, ERROR_TRANSIENT, NULL},
    {927, ERROR_TRANSIENT, NULL},
    {976, ERROR_TRANSIENT, "The database is in an availability group and this replica does not serve it now."},
    {978, ERROR_TRANSIENT, "This replica wants application_intent readonly in the source's options."},
    {979, ERROR_TRANSIENT, NULL},
    {983, ERROR_TRANSIENT, NULL},
    {1204, ERROR_TRANSIENT, NULL},
    {1221, ERROR_TRANSIENT, NULL},
    {3960, ERROR_TRANSIENT, NULL},
    {3961, ERROR_TRANSIENT, NULL},
    {4221, ERROR_TRANSIENT, NULL},
    {6005, ERROR_TRANSIENT, NULL},
    {8645, ERROR_TRANSIENT, NULL},
    {8651, ERROR_TRANSIENT, NULL},
    {10928, ERROR_TRANSIENT, NULL},
    {10929, ERROR_TRANSIENT, NULL},
    {17142, ERROR_TRANSIENT, NULL},
    {17197, ERROR_TRANSIENT, NULL},
    {18401, ERROR_TRANSIENT, NULL},
    {18451, ERROR_TRANSIENT, NULL},
    {40197, ERROR_TRANSIENT, NULL},
    {40501, ERROR_TRANSIENT, NULL},
    {40613, ERROR_TRANSIENT, NULL},
};

void message_classify(int number, int severity, const char *text, Error *ret)
{
    /* Unknown: what ends a connection (20 and up) or says "resources" (17) passes; the rest needs a person. */
    ErrorKind kind = severity >= 20 || severity == 17 || severity == 19 ? ERROR_TRANSIENT : ERROR_PERMANENT;
    const char *hint = NULL;
    char code[16];

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].number == number) {
            kind = known[i].kind;
            hint = known[i].hint;
        }
    }
    snprintf(code, sizeof code, "%d", number);
    error_set_code(ret, kind, code, hint, "SQL Server error %d: %s", number, text ? text : "");
}
