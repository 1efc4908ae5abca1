/*
 * The catalogue procedures that ODBC and JDBC drivers call for their metadata functions (sql-docs, "Catalog stored
 * procedures"): sp_tables, sp_columns[_100], sp_pkeys, sp_statistics[_100]. What they answer stands in the views
 * sluice_sim.odbc_* of database.sql; types are given as for @ODBCVer = 3.
 */
#include "statement.h"

#include <string.h>
#include <strings.h>

/* N'..' */
static const char *quoted(Session *session, const char *text)
{
    Text ret = {.arena = &session->arena};
    text_format(&ret, "N'");
    for (const char *c = text; *c; c++)
        text_format(&ret, *c == '\'' ? "''" : "%c", *c);
    text_format(&ret, "'");
    return ret.data;
}

/* A condition on the column where the argument is given: a LIKE pattern, or the name itself. */
static void condition(Session *session, Text *sql, const char *column, const char *argument, bool pattern)
{
    if (argument && !(pattern && !strcmp(argument, "%")))
        text_format(sql, " AND %s %s %s", column, pattern ? "LIKE" : "=", quoted(session, argument));
}

/* The qualifier is the current database or none ("sp_columns", @table_qualifier). */
static void check_qualifier(Session *session, const char *qualifier)
{
    if (qualifier && strcasecmp(qualifier, session->database))
        session_fail(session, 15250, 1,
                     "The database name component of the object qualifier must be the name of the current database.");
}

static void list_tables(Session *session, const ProcedureCall *call)
{
    Text sql = {.arena = &session->arena};
    const char *types = call_text(session, call, "@table_type", 3),
               *pattern = call_text(session, call, "@fUsePattern", 4);
    bool like = !pattern || *pattern != '0';
    check_qualifier(session, call_text(session, call, "@table_qualifier", 2));
    text_format(&sql,
                "SELECT TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME, TABLE_TYPE, REMARKS FROM sluice_sim.odbc_tables "
                "WHERE 1 = 1");
    condition(session, &sql, "TABLE_NAME", call_text(session, call, "@table_name", 0), like);
    condition(session, &sql, "TABLE_OWNER", call_text(session, call, "@table_owner", 1), like);
    if (types && !strcasestr(types, "'TABLE'")) /* a list of quoted kinds; the catalogue has tables only */
        text_format(&sql, " AND 1 = 0");
    text_format(&sql, " ORDER BY TABLE_TYPE, TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME");
    send_query(session, sql.data);
}

static void list_columns(Session *session, const ProcedureCall *call, bool katmai)
{
    Text sql = {.arena = &session->arena};
    check_qualifier(session, call_text(session, call, "@table_qualifier", 2));
    text_format(
        &sql,
        "SELECT TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME, COLUMN_NAME, DATA_TYPE, TYPE_NAME, PRECISION, LENGTH, "
        "SCALE, RADIX, NULLABLE, REMARKS, COLUMN_DEF, SQL_DATA_TYPE, SQL_DATETIME_SUB, CHAR_OCTET_LENGTH, "
        "ORDINAL_POSITION, IS_NULLABLE, %s SS_DATA_TYPE FROM sluice_sim.odbc_columns WHERE 1 = 1",
        katmai ? "SS_IS_SPARSE, SS_IS_COLUMN_SET, SS_IS_COMPUTED, SS_IS_IDENTITY, SS_UDT_CATALOG_NAME, "
                 "SS_UDT_SCHEMA_NAME, SS_UDT_ASSEMBLY_TYPE_NAME, SS_XML_SCHEMACOLLECTION_CATALOG_NAME, "
                 "SS_XML_SCHEMACOLLECTION_SCHEMA_NAME, SS_XML_SCHEMACOLLECTION_NAME,"
               : "");
    condition(session, &sql, "TABLE_NAME", call_text(session, call, "@table_name", 0), true);
    condition(session, &sql, "TABLE_OWNER", call_text(session, call, "@table_owner", 1), true);
    condition(session, &sql, "COLUMN_NAME", call_text(session, call, "@column_name", 3), true);
    text_format(&sql, " ORDER BY TABLE_OWNER, TABLE_NAME, ORDINAL_POSITION");
    send_query(session, sql.data);
}

static void list_keys(Session *session, const ProcedureCall *call)
{
    Text sql = {.arena = &session->arena};
    check_qualifier(session, call_text(session, call, "@table_qualifier", 2));
    text_format(&sql, "SELECT TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME, COLUMN_NAME, KEY_SEQ, PK_NAME FROM "
                      "sluice_sim.odbc_pkeys WHERE 1 = 1");
    condition(session, &sql, "TABLE_NAME", call_text(session, call, "@table_name", 0), false);
    condition(session, &sql, "TABLE_OWNER", call_text(session, call, "@table_owner", 1), false);
    text_format(&sql, " ORDER BY TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME, KEY_SEQ");
    send_query(session, sql.data);
}

static void list_statistics(Session *session, const ProcedureCall *call)
{
    Text sql = {.arena = &session->arena};
    const char *unique = call_text(session, call, "@is_unique", 4);
    check_qualifier(session, call_text(session, call, "@table_qualifier", 2));
    text_format(&sql,
                "SELECT TABLE_QUALIFIER, TABLE_OWNER, TABLE_NAME, NON_UNIQUE, INDEX_QUALIFIER, INDEX_NAME, TYPE, "
                "SEQ_IN_INDEX, COLUMN_NAME, COLLATION, CARDINALITY, PAGES, FILTER_CONDITION FROM "
                "sluice_sim.odbc_statistics WHERE (NON_UNIQUE IS NULL OR NON_UNIQUE <= %d)",
                unique && (*unique | 32) == 'y' ? 0 : 1);
    condition(session, &sql, "TABLE_NAME", call_text(session, call, "@table_name", 0), false);
    condition(session, &sql, "TABLE_OWNER", call_text(session, call, "@table_owner", 1), false);
    const char *index = call_text(session, call, "@index_name", 3);
    if (index && strcmp(index, "%"))
        text_format(&sql, " AND (TYPE = 0 OR INDEX_NAME LIKE %s)", quoted(session, index));
    text_format(&sql, " ORDER BY NON_UNIQUE, TYPE, INDEX_NAME, SEQ_IN_INDEX");
    send_query(session, sql.data);
}

bool catalog_procedure(Session *session, const ProcedureCall *call)
{
    if (!strcmp(call->name, "sp_tables"))
        list_tables(session, call);
    else if (!strcmp(call->name, "sp_columns") || !strcmp(call->name, "sp_columns_100"))
        list_columns(session, call, call->name[10] == '_');
    else if (!strcmp(call->name, "sp_pkeys"))
        list_keys(session, call);
    else if (!strcmp(call->name, "sp_statistics") || !strcmp(call->name, "sp_statistics_100"))
        list_statistics(session, call);
    else
        return false;
    return true;
}
