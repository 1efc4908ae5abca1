/* session_option.c - the options of a source that its connections need */
#include "source/mysql/session.h"

#include <string.h>
#include <strings.h>

#define OPTION_TEXT_MAX 1000

static int option_text(const cJSON *options, const char *name, size_t maximum, const char **ret, Error *error)
{
    const char *text = json_text(options, name, NULL);

    *ret = NULL;
    if (!text || !*text)
        return 0;
    if (strlen(text) > maximum)
        return error_set(error, ERROR_PERMANENT, NULL, "the option %s of the source is longer than %zu bytes", name,
                         maximum);
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 32 || *c == 127)
            return error_set(error, ERROR_PERMANENT, "Remove the control character.",
                             "the option %s of the source has a control character", name);
    }
    *ret = text;
    return 0;
}

static int option_number(const cJSON *options, const char *name, int low, int high, int otherwise, int *ret,
                         Error *error)
{
    int64_t number = json_integer(options, name, otherwise);

    if (number < low || number > high)
        return error_set(error, ERROR_PERMANENT, NULL,
                         "the option %s of the source is %lld; it must be between %d and %d", name, (long long)number,
                         low, high);
    *ret = (int)number;
    return 0;
}

static int option_tls(const cJSON *options, SessionOptions *ret, Error *error)
{
    const char *text = json_text(options, "encryption", "request");

    if (strcasecmp(text, "off") == 0)
        ret->tls = SESSION_TLS_OFF;
    else if (strcasecmp(text, "request") == 0)
        ret->tls = SESSION_TLS_REQUEST;
    else if (strcasecmp(text, "require") == 0)
        ret->tls = SESSION_TLS_REQUIRE;
    else
        return error_set(error, ERROR_PERMANENT, "Use off, request or require.",
                         "the option encryption of the source is \"%.40s\"", text);
    ret->check_hostname = json_boolean(options, "check_hostname", ret->ca_file != NULL);
    if (ret->check_hostname && !ret->ca_file)
        return error_set(error, ERROR_PERMANENT, "Set ca_file, or 'system' for the machine's own list.",
                         "check_hostname needs a ca_file: without one nothing is checked");
    if (ret->ca_file && ret->tls == SESSION_TLS_OFF)
        return error_set(error, ERROR_PERMANENT, "Use encryption 'require'.",
                         "a ca_file and encryption 'off' contradict each other");
    /* A certificate that is asked for cannot be had without TLS. */
    if (ret->ca_file)
        ret->tls = SESSION_TLS_REQUIRE;
    return 0;
}

int session_options_read(const cJSON *options, SessionOptions *ret, Error *error)
{
    SessionOptions read = {0};

    if (option_text(options, "host", 253, &read.host, error) < 0 ||
        option_text(options, "user", 128, &read.user, error) < 0 ||
        option_text(options, "ca_file", OPTION_TEXT_MAX, &read.ca_file, error) < 0)
        return -1;
    if (!read.host)
        return error_set(error, ERROR_PERMANENT, "Set it with sluice.alter_source.", "the source has no option host");
    if (!read.user)
        return error_set(error, ERROR_PERMANENT, "Set it with sluice.alter_source.", "the source has no option user");
    if (option_tls(options, &read, error) < 0 ||
        option_number(options, "port", 1, 65535, 3306, &read.port, error) < 0 ||
        option_number(options, "login_timeout", 1, 50, 15, &read.login_timeout_s, error) < 0 ||
        option_number(options, "query_timeout", 1, 86400, 300, &read.query_timeout_s, error) < 0)
        return -1;
    read.load_lock = json_boolean(options, "load_lock", false);
    read.mariadb = ret->mariadb;
    *ret = read;
    return 0;
}
