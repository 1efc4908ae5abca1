/*
 * tds_loop.c - the bare DB-Library loop that the worker is compared with: unbound, dbdata and dbdatlen of every column, lengths
 * summed, nothing converted or kept.
 *
 *   tds_loop PORT USER DATABASE QUERY      (password: environment MSSQL_SIM_PASSWORD)
 *
 * prints `rows bytes cpu_seconds`: user and system time of this process from login to the last row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sybfront.h>
#include <sybdb.h>
#include <sys/resource.h>

static int on_error(DBPROCESS *process, int severity, int number, int os_number, char *text, char *os_text)
{
    (void)process, (void)os_number, (void)os_text;
    fprintf(stderr, "tds_loop: error %d, severity %d: %s\n", number, severity, text);
    return INT_CANCEL;
}

static int on_message(DBPROCESS *process, DBINT number, int state, int severity, char *text, char *server, char *procedure, int line)
{
    (void)process, (void)state, (void)server, (void)procedure, (void)line;
    if (severity > 10) {
        fprintf(stderr, "tds_loop: message %d: %s\n", (int)number, text);
        exit(1);
    }
    return 0;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static DBPROCESS *log_in(const char *port, const char *user, const char *database)
{
    const char *password = getenv("MSSQL_SIM_PASSWORD");
    char server[64];
    LOGINREC *login;

    if (dbinit() == FAIL || !(login = dblogin()))
        return NULL;
    dberrhandle(on_error);
    dbmsghandle(on_message);
    DBSETLUSER(login, user);
    DBSETLPWD(login, password ? password : "");
    DBSETLDBNAME(login, database);
    DBSETLCHARSET(login, "UTF-8");
    DBSETLPACKET(login, 32767);
    dbsetlversion(login, DBVERSION_74);
    snprintf(server, sizeof server, "127.0.0.1:%s", port);
    return dbopen(login, server);
}

int main(int count, char **arguments)
{
    long long rows = 0, bytes = 0;
    DBPROCESS *process;
    RETCODE code;
    int columns;

    if (count != 5) {
        fputs("usage: tds_loop PORT USER DATABASE QUERY\n", stderr);
        return 2;
    }
    process = log_in(arguments[1], arguments[2], arguments[3]);
    if (!process || dbcmd(process, arguments[4]) == FAIL || dbsqlexec(process) == FAIL || dbresults(process) != SUCCEED)
        return 1;
    columns = dbnumcols(process);
    while ((code = dbnextrow(process)) == REG_ROW) {
        for (int i = 1; i <= columns; i++)
            if (dbdata(process, i))
                bytes += dbdatlen(process, i);
        rows++;
    }
    if (code != NO_MORE_ROWS || dbcount(process) != rows)
        return 1;
    printf("%lld %lld %.6f\n", rows, bytes, cpu_seconds());
    dbclose(process);
    dbexit();
    return 0;
}
