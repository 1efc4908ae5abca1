/* session_option.c - the options of a source that its connections need */
#include "source/mysql/session.h"
#include "source/option.h"

#include <string.h>
#include <strings.h>

#define OPTION_TEXT_MAX 1000

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
