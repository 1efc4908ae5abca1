/* config.c - the login's options, and the private configuration file that carries those DB-Library takes from nowhere
 * else */
#include "source/option.h"
#include "source/sqlserver/connection.h"

#include <string.h>
#include <strings.h>

#define OPTION_TEXT_MAX 128 /* DB-Library cuts or refuses longer login strings */

static int option_encryption(const cJSON *options, Encryption *ret, Error *error)
{
    const char *text = json_text(options, "encryption", "request");

    if (strcasecmp(text, "off") == 0)
        *ret = ENCRYPTION_OFF;
    else if (strcasecmp(text, "request") == 0)
        *ret = ENCRYPTION_REQUEST;
    else if (strcasecmp(text, "require") == 0)
        *ret = ENCRYPTION_REQUIRE;
    else if (strcasecmp(text, "strict") == 0)
        return error_set(
            error, ERROR_PERMANENT,
            "Use encryption 'require' with a ca_file, and leave \"Force Strict Encryption\" off at the server.",
            "encryption 'strict' (TDS 8.0) is not in reach of this worker's FreeTDS");
    else
        return error_set(error, ERROR_PERMANENT, "Use off, request or require.",
                         "the option encryption of the source is \"%.40s\"", text);
    return 0;
}

static int options_text(const cJSON *options, LoginOptions *ret, Error *error)
{
    if (option_text(options, "host", 253, &ret->host, error) < 0 ||
        option_text(options, "instance", OPTION_TEXT_MAX, &ret->instance, error) < 0 ||
        option_text(options, "database", OPTION_TEXT_MAX, &ret->database, error) < 0 ||
        option_text(options, "user", OPTION_TEXT_MAX, &ret->user, error) < 0 ||
        option_text(options, "ca_file", 1000, &ret->ca_file, error) < 0 ||
        option_text(options, "principal", OPTION_TEXT_MAX, &ret->principal, error) < 0)
        return -1;
    if (!ret->host)
        return error_set(error, ERROR_PERMANENT, "Set it with sluice.alter_source.", "the source has no option host");
    /* What the configuration file would read as the end of the value or as a comment. */
    if (strpbrk(ret->host, " \t;#=[]\\"))
        return error_set(error, ERROR_PERMANENT,
                         "Give a bare host name or address; a named instance goes into the option instance.",
                         "the option host of the source is no host name");
    if (ret->instance && strpbrk(ret->instance, " \t;#=[]\\"))
        return error_set(error, ERROR_PERMANENT, NULL, "the option instance of the source is no instance name");
    if (!ret->database)
        return error_set(error, ERROR_PERMANENT, "Set it with sluice.alter_source.",
                         "the source has no option database");
    return 0;
}

int login_options_read(const cJSON *options, LoginOptions *ret, Error *error)
{
    const char *intent;

    memset(ret, 0, sizeof *ret);
    if (options_text(options, ret, error) < 0 || option_encryption(options, &ret->encryption, error) < 0)
        return -1;
    intent = json_text(options, "application_intent", "readwrite");
    if (strcasecmp(intent, "readonly") != 0 && strcasecmp(intent, "readwrite") != 0)
        return error_set(error, ERROR_PERMANENT, "Use readonly or readwrite.",
                         "the option application_intent of the source is \"%.40s\"", intent);
    ret->read_only = strcasecmp(intent, "readonly") == 0;
    ret->check_hostname = json_boolean(options, "check_hostname", ret->ca_file != NULL);
    ret->kerberos = json_boolean(options, "kerberos", false);
    ret->ntlm = json_boolean(options, "ntlm", false);
    if (ret->check_hostname && !ret->ca_file)
        return error_set(error, ERROR_PERMANENT, "Set ca_file, or 'system' for the machine's own list.",
                         "check_hostname needs a ca_file: without one nothing is checked");
    if (ret->ca_file && ret->encryption == ENCRYPTION_OFF)
        return error_set(error, ERROR_PERMANENT, "Use encryption 'require'.",
                         "a ca_file and encryption 'off' contradict each other");
    if (!ret->kerberos && !ret->user)
        return error_set(error, ERROR_PERMANENT, "Set user, or kerberos.", "the source has no option user");
    /* SQL Server itself limits packets to 16 KiB under TLS. */
    if (option_number(options, "port", 1, 65535, 1433, &ret->port, error) < 0 ||
        option_number(options, "packet_size", 512, 32767,
                      ret->ca_file || ret->encryption == ENCRYPTION_REQUIRE ? 16384 : 32767, &ret->packet_size,
                      error) < 0 ||
        option_number(options, "login_timeout", 1, 50, 15, &ret->login_timeout_s, error) < 0 ||
        option_number(options, "query_timeout", 1, 86400, 300, &ret->query_timeout_s, error) < 0 ||
        option_number(options, "lock_timeout_ms", 100, 600000, 10000, &ret->lock_timeout_ms, error) < 0)
        return -1;
    return 0;
}

int login_configuration(const LoginOptions *options, Buffer *ret, Error *error)
{
    static const char *const words[] = {
        [ENCRYPTION_OFF] = "off", [ENCRYPTION_REQUEST] = "request", [ENCRYPTION_REQUIRE] = "require"};

    if (buffer_format(ret, error, "[sluice]\n\thost = %s\n", options->host) < 0)
        return -1;
    if (options->instance ? buffer_format(ret, error, "\tinstance = %s\n", options->instance)
                          : buffer_format(ret, error, "\tport = %d\n", options->port))
        return -1;
    if (buffer_format(ret, error,
                      "\ttds version = 7.4\n\tclient charset = UTF-8\n\ttext size = 2147483647\n\tencryption = %s\n",
                      words[options->encryption]) < 0)
        return -1;
    if (options->ca_file && buffer_format(ret, error, "\tca file = %s\n\tcheck certificate hostname = %s\n",
                                          options->ca_file, options->check_hostname ? "yes" : "no") < 0)
        return -1;
    return 0;
}
