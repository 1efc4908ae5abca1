/* Logins, users, roles and permissions: enough for a source's rights and a gating role to be refused as documented. */
#include "statement.h"
#include "table.h"

#include <string.h>
#include <strings.h>

static void need_admin(Session *session, bool server)
{
    if (!session->sysadmin && (server || !session->db_owner))
        session_fail(session, 15247, 1, "User does not have permission to perform this action.");
}

static void create_login(Parser *parser)
{
    Session *session = parser->session;
    const char *name = parser_name_part(parser);
    need_admin(session, true);
    parser_expect(parser, "with");
    const char *word = parser_name_part(parser);
    if (strcasecmp(word, "password"))
        parser_fail(parser);
    parser_expect(parser, "=");
    Constant password = query_scalar(session, parser_primary(parser));
    while (parser_take(parser, ",")) { /* DEFAULT_DATABASE, CHECK_POLICY .. */
        parser->at += 3;
    }
    if (db_text(session, "SELECT 1 FROM mssql.login WHERE name = %s", lit(session, name)))
        session_fail(session, 15025, 1, "The server principal '%s' already exists.", name);
    db_runf(session, "INSERT INTO mssql.login VALUES (%s, %s, false)", lit(session, name),
            lit(session, constant_text(session, &password)));
}

static void add_principal(Session *session, const char *name, char type, const char *login)
{
    need_admin(session, false);
    if (db_text(session, "SELECT 1 FROM mssql.principal WHERE db_id = %d AND name = %s", session->db_id,
                lit(session, name)))
        session_fail(session, 15023, 1, "User, group, or role '%s' already exists in the current database.", name);
    db_runf(
        session,
        "INSERT INTO mssql.principal (db_id, principal_id, name, type, login) SELECT %d, greatest(max(principal_id), "
        "4) + 1, %s, '%c', %s FROM mssql.principal WHERE db_id = %d AND principal_id < 16384",
        session->db_id, lit(session, name), type, lit(session, login), session->db_id);
    if (login) /* CONNECT is given with the user */
        db_runf(session,
                "INSERT INTO mssql.permission SELECT %d, principal_id, 0, 0, 'CONNECT', 'G' FROM mssql.principal WHERE "
                "db_id = %d AND name = %s",
                session->db_id, session->db_id, lit(session, name));
}

void create_principal(Parser *parser)
{
    Session *session = parser->session;
    if (parser_take(parser, "login"))
        return create_login(parser);
    bool role = parser_take(parser, "role");
    if (!role)
        parser_expect(parser, "user");
    const char *name = parser_name_part(parser), *login = role ? NULL : name;
    if (!role && parser_take(parser, "for")) {
        parser_expect(parser, "login");
        login = parser_name_part(parser);
    } else if (!role && parser_at2(parser, "without", "login")) {
        parser->at += 2;
        login = NULL;
    }
    if (login && !db_text(session, "SELECT 1 FROM mssql.login WHERE name = %s", lit(session, login)))
        session_fail(session, 15007, 1, "'%s' is not a valid login or you do not have permission.", login);
    add_principal(session, name, role ? 'R' : 'S', login);
}

static int principal_of(Session *session, const char *name)
{
    char *id = db_text(session, "SELECT principal_id FROM mssql.principal WHERE db_id = %d AND name = %s",
                       session->db_id, lit(session, name));
    if (!id)
        session_fail(session, 15151, 1,
                     "Cannot find the user '%s', because it does not exist or you do not have permission.", name);
    return (int)db_number(session, "SELECT %s", id);
}

/* ALTER ROLE role ADD|DROP MEMBER name */
void alter_role(Parser *parser)
{
    Session *session = parser->session;
    int role = principal_of(session, parser_name_part(parser));
    bool add = parser_take(parser, "add");
    need_admin(session, false);
    if (!add)
        parser_expect(parser, "drop");
    parser_expect(parser, "member");
    int member = principal_of(session, parser_name_part(parser));
    if (add)
        db_runf(session, "INSERT INTO mssql.role_member VALUES (%d, %d, %d) ON CONFLICT DO NOTHING", session->db_id,
                role, member);
    else
        db_runf(session, "DELETE FROM mssql.role_member WHERE db_id = %d AND role_id = %d AND member_id = %d",
                session->db_id, role, member);
}

static const char *parse_permission(Parser *parser)
{
    Text text = {.arena = &parser->session->arena};
    while (!parser_at(parser, "on") && !parser_at(parser, "to") && !parser_at(parser, "from") &&
           !parser_at(parser, ",")) {
        const Token *token = parser_peek(parser, 0);
        if (token->kind != TOKEN_WORD)
            parser_fail(parser);
        for (const char *c = token->text; *c; c++)
            text_format(&text, "%s%c", c == token->text && text.length ? " " : "",
                        *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        parser->at++;
    }
    if (!text.length)
        parser_fail(parser);
    return text.data;
}

static int parse_securable(Parser *parser, int *major)
{
    Session *session = parser->session;
    *major = 0;
    if (!parser_take(parser, "on"))
        return 0;
    bool schema = parser_at2(parser, "schema", ":") || parser_at2(parser, "schema", "::"),
         object = parser_at2(parser, "object", "::"), database = parser_at2(parser, "database", "::");
    if (schema || object || database)
        parser->at += 2;
    Name name = parser_name(parser);
    if (database)
        return 0;
    if (schema) {
        *major = schema_id_of(session, name.parts[0]);
        if (*major < 0)
            session_fail(session, 15151, 1,
                         "Cannot find the schema '%s', because it does not exist or you do not have permission.",
                         name.parts[0]);
        return 3;
    }
    Table *table = table_find(session, &name);
    if (!table)
        session_fail(session, 15151, 1,
                     "Cannot find the object '%s', because it does not exist or you do not have permission.",
                     name.parts[name.count - 1]);
    *major = table->object_id;
    return 1;
}

/* GRANT|DENY|REVOKE permission [, ..] [ON ..] TO|FROM principal [, ..] */
void statement_grant(Parser *parser, char state)
{
    Session *session = parser->session;
    const char *permissions[16];
    int count = 0, major;
    do
        permissions[count++] = parse_permission(parser);
    while (count < 16 && parser_take(parser, ","));
    int class = parse_securable(parser, &major);
    need_admin(session, false);
    if (!parser_take(parser, "to"))
        parser_expect(parser, "from");
    do {
        const char *name = parser_name_part(parser);
        bool server =
            class == 0 && (!strncmp(permissions[0], "VIEW SERVER", 11) || !strncmp(permissions[0], "VIEW ANY", 8));
        int principal = server ? 0 : principal_of(session, name);
        for (int i = 0; i < count; i++) {
            if (server) {
                db_runf(session, "DELETE FROM mssql.server_permission WHERE login = %s AND permission = '%s'",
                        lit(session, name), permissions[i]);
                if (state == 'G')
                    db_runf(session, "INSERT INTO mssql.server_permission VALUES (%s, '%s')", lit(session, name),
                            permissions[i]);
                continue;
            }
            db_runf(session,
                    "DELETE FROM mssql.permission WHERE db_id = %d AND grantee_id = %d AND class = %d AND major_id = "
                    "%d AND permission = '%s'",
                    session->db_id, principal, class, major, permissions[i]);
            if (state != 'R')
                db_runf(session, "INSERT INTO mssql.permission VALUES (%d, %d, %d, %d, '%s', '%c')", session->db_id,
                        principal, class, major, permissions[i], state);
        }
    } while (parser_take(parser, ","));
    if (parser_at2(parser, "with", "grant"))
        parser->at += 3;
}
