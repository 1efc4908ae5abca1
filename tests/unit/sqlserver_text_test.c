/* sqlserver_text_test.c - statement texts: hostile names stay names, values never stand in a text, the configuration
 * file has our lines only */
#include "check.h"
#include "source/sqlserver/keyset.h"
#include "source/sqlserver/plan.h"

#include <stdlib.h>

static void names(void)
{
    Error error;
    Buffer text;

    buffer_init(&text, 4096);
    text_table(&text, "d]bo", "x]; DROP TABLE y; --", &error);
    buffer_terminate(&text, &error);
    check_text(text.data, "[d]]bo].[x]]; DROP TABLE y; --]", "a closing bracket in a name is doubled");
    buffer_clear(&text);
    text_change_table(&text, "a'b\"c", &error);
    buffer_terminate(&text, &error);
    check_text(text.data, "[cdc].[a'b\"c_CT]", "quotes have no meaning in brackets");
    buffer_free(&text);
}

static void bounds(void)
{
    cJSON *keys = cJSON_Parse(
        "[{\"name\":\"a]\",\"source_type\":\"varchar(20)\",\"type\":\"string\",\"collation\":\"Latin1_General_CI_AS\"},"
        "{\"name\":\"b\",\"source_type\":\"int\",\"type\":\"int32\",\"descending\":true}]");
    cJSON *values = cJSON_Parse("[\"'; DROP TABLE x; --\",\"1\"]");
    Parameters parameters = {.count = 0};
    Keyset keyset;
    Error error;
    Buffer text;

    check(keyset_read(keys, NULL, &keyset, &error) == 0 && keyset.count == 2, "a key is read");
    buffer_init(&text, 4096);
    keyset_bound(&keyset, 'f', &text, &error);
    buffer_terminate(&text, &error);
    check_text(text.data,
               "[a]]] >= CONVERT(varchar(20), ISNULL(@f1, N'') COLLATE Latin1_General_CI_AS) AND ([a]]] > "
               "CONVERT(varchar(20), ISNULL(@f1, N'') COLLATE "
               "Latin1_General_CI_AS) OR ([a]]] = CONVERT(varchar(20), ISNULL(@f1, N'') COLLATE Latin1_General_CI_AS) "
               "AND [b] < CONVERT(int, @f2)))",
               "rows behind a key: an OR chain with a leading term, a descending column turned round");
    buffer_clear(&text);
    keyset_bound(&keyset, 't', &text, &error);
    buffer_terminate(&text, &error);
    check(strstr(text.data, "[b] >= CONVERT(int, @t2)") != NULL, "an upper bound includes its row");
    buffer_clear(&text);
    keyset_order(&keyset, false, &text, &error);
    buffer_terminate(&text, &error);
    check_text(text.data, " ORDER BY [a]]], [b] DESC", "the order is the key's");
    check(keyset_parameters(&keyset, 'f', values, &parameters, &error) == 0 && parameters.count == 2 &&
              strcmp(parameters.list[0].name, "@f1") == 0 &&
              strcmp(parameters.list[0].text, "'; DROP TABLE x; --") == 0,
          "values travel as parameters");
    cJSON_DeleteItemFromArray(values, 0);
    check(keyset_parameters(&keyset, 'f', values, &parameters, &error) < 0, "a bound with too few values is refused");
    buffer_free(&text);
    cJSON_Delete(keys);
    cJSON_Delete(values);
}

static void hostile_types(void)
{
    cJSON *type = cJSON_Parse("[{\"name\":\"a\",\"source_type\":\"int); DROP TABLE x; --\",\"type\":\"int32\"}]");
    cJSON *collation = cJSON_Parse(
        "[{\"name\":\"a\",\"source_type\":\"varchar(20)\",\"type\":\"string\",\"collation\":\"x); DROP\"}]");
    Keyset keyset;
    Error error;

    check(keyset_read(type, NULL, &keyset, &error) < 0, "a type that is no type's name is refused");
    check(keyset_read(collation, NULL, &keyset, &error) < 0, "a collation that is no collation's name is refused");
    cJSON_Delete(type);
    cJSON_Delete(collation);
}

static void expressions(void)
{
    static const char *const types[][2] = {{"int", "c.[x]]y]"},
                                           {"hierarchyid", "c.[x]]y].ToString()"},
                                           {"geography", "CONVERT(varbinary(max), c.[x]]y])"}};
    static const char *const exact[][2] = {{"nvarchar(20)", "CONVERT(varbinary(40), [x]]y])"},
                                           {"nvarchar(max)", "CONVERT(varbinary(max), [x]]y])"},
                                           {"varchar(8000)", "CONVERT(varbinary(max), CONVERT(nvarchar(max), [x]]y]))"},
                                           {"char(5)", "CONVERT(varbinary(10), CONVERT(nvarchar(5), [x]]y]))"},
                                           {"ntext", "CONVERT(varbinary(max), CONVERT(nvarchar(max), [x]]y]))"}};
    Error error;
    Buffer text;

    buffer_init(&text, 4096);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        Field field = {.source_name = "x]y"};

        snprintf(field.source_type, sizeof field.source_type, "%s", types[i][0]);
        buffer_clear(&text);
        plan_expression(&field, "c", &text, &error);
        buffer_terminate(&text, &error);
        check_text(text.data, types[i][1], types[i][0]);
    }
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        Field field = {.source_name = "x]y"};

        snprintf(field.source_type, sizeof field.source_type, "%s", exact[i][0]);
        buffer_clear(&text);
        plan_text_expression(&field, NULL, &text, &error);
        buffer_terminate(&text, &error);
        check_text(text.data, exact[i][1], exact[i][0]);
    }
    buffer_free(&text);
}

static bool refused(const char *json, const char *word)
{
    cJSON *options = cJSON_Parse(json);
    LoginOptions login;
    Error error = {.message = ""};
    bool ret = login_options_read(options, &login, &error) < 0 && error.kind == ERROR_PERMANENT &&
               strstr(error.message, word) != NULL;

    cJSON_Delete(options);
    return ret;
}

static void configuration(void)
{
    cJSON *options = cJSON_Parse("{\"host\":\"db.example\",\"port\":1444,\"database\":\"erp\",\"user\":\"u\","
                                 "\"encryption\":\"require\",\"ca_file\":\"/etc/ca.pem\"}");
    LoginOptions login;
    Error error;
    Buffer text;

    check(login_options_read(options, &login, &error) == 0 && login.packet_size == 16384 && login.check_hostname,
          "TLS has packets of 16 KiB and checks the name");
    buffer_init(&text, 4096);
    login_configuration(&login, &text, &error);
    buffer_terminate(&text, &error);
    check_text(text.data,
               "[sluice]\n\thost = db.example\n\tport = 1444\n\ttds version = 7.4\n\tclient charset = UTF-8\n\ttext "
               "size = 2147483647\n\tencryption = require\n"
               "\tca file = /etc/ca.pem\n\tcheck certificate hostname = yes\n",
               "the configuration file");
    buffer_free(&text);
    cJSON_Delete(options);
    check(refused("{\"host\":\"h\\n\\tport = 1\",\"database\":\"d\",\"user\":\"u\"}", "host"),
          "a line break in the host is refused");
    check(refused("{\"host\":\"h;x\",\"database\":\"d\",\"user\":\"u\"}", "host"),
          "a comment sign in the host is refused");
    check(refused("{\"host\":\"h\",\"database\":\"d\",\"user\":\"u\",\"encryption\":\"strict\"}", "strict"),
          "encryption strict is refused by name");
    check(refused("{\"host\":\"h\",\"database\":\"d\",\"user\":\"u\",\"port\":70000}", "port"),
          "a port out of range is refused");
    check(refused("{\"host\":\"h\",\"user\":\"u\"}", "database"), "a missing database is refused");
    check(refused("{\"host\":\"h\",\"database\":\"d\"}", "user"), "a missing user is refused");
    check(refused("{\"host\":\"h\",\"database\":\"d\",\"user\":\"u\",\"check_hostname\":true}", "check_hostname"),
          "a name check without CA is refused");
}

static void messages(void)
{
    Error error;

    message_classify(18456, 14, "Login failed for user 'x'.", &error);
    check(error.kind == ERROR_PERMANENT && strcmp(error.code, "18456") == 0 && error.hint[0],
          "a refused login is for a person");
    message_classify(1205, 13, "deadlock", &error);
    check(error.kind == ERROR_TRANSIENT, "a deadlock passes");
    message_classify(208, 16, "Invalid object name", &error);
    check(error.kind == ERROR_GONE, "an unknown object is gone");
    message_classify(8134, 16, "Divide by zero", &error);
    check(error.kind == ERROR_PERMANENT, "an unknown error of severity 16 is for a person");
    message_classify(9001, 21, "The log is not available", &error);
    check(error.kind == ERROR_TRANSIENT, "what ends the connection passes");
}

int main(void)
{
    names();
    bounds();
    hostile_types();
    expressions();
    configuration();
    messages();
    return check_end();
}
