/*
 * sink_s3_credentials_test.c - where keys are found without a network, and when they are renewed. As `sink_s3_credentials_test ask`
 * it is what s3_credentials_test.py drives: it prints what the chain found in its environment, one member a line.
 */
#include "base/clock.h"
#include "check.h"
#include "sink/s3/credentials.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static Error error;
static S3Credentials credentials;
static char credentials_path[] = "/tmp/sluice-credentials-XXXXXX", config_path[] = "/tmp/sluice-config-XXXXXX";

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    fputs(text, file);
    fclose(file);
}

/* The access key found, or "-" and the error where none was. */
static const char *found_now(void)
{
    s3_credentials_open(&credentials, NULL, "eu-central-1", (Beat){0}, &error);
    if (s3_credentials_ready(&credentials, clock_wall_us() / 1000000, &error) == 0)
        return credentials.keys.access_key;
    return "-";
}

static void test_given(void)
{
    SinkSecret secret = {"GIVEN", "s", "t"}, half = {"GIVEN", NULL, NULL}, wrong = {"A\nB", "s", NULL};

    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "env-secret", 1);
    check(s3_credentials_open(&credentials, &secret, "r", (Beat){0}, &error) == 0 && s3_credentials_ready(&credentials, 1, &error) == 0 &&
              strcmp(credentials.keys.access_key, "GIVEN") == 0 && strcmp(credentials.origin, "the target's secret") == 0,
          "the target's own secret comes first");
    check(!s3_credentials_renew(&credentials, credentials.generation, 1), "and cannot be renewed");
    check(s3_credentials_open(&credentials, &half, "r", (Beat){0}, &error) < 0 && strstr(error.message, "secret_key"), "half a secret is refused");
    check(s3_credentials_open(&credentials, &wrong, "r", (Beat){0}, &error) < 0 && !strstr(error.message, "A\n"), "a key of two lines is refused, unseen");
    check_text(found_now(), "ENV", "then the environment");
    s3_credentials_close(&credentials);
    check(!credentials.keys.secret_key[0], "closing wipes the keys");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    file_write(credentials_path, "");
    check_text(found_now(), "-", "half an environment is none");
    check(strstr(error.message, "AWS_SECRET_ACCESS_KEY is not set") != NULL, "and says which half is missing");
    unsetenv("AWS_ACCESS_KEY_ID");
}

static void test_profiles(void)
{
    file_write(credentials_path, "# keys\n[default]\n aws_access_key_id = NESTED\naws_access_key_id = D1\naws_secret_access_key=d+1/x=\n\n"
                                 "[other]\r\naws_access_key_id = O1\r\naws_secret_access_key = o1\r\naws_session_token = ot\r\n[half]\naws_secret_access_key = h\n");
    file_write(config_path, "[default]\nregion = eu-west-3\naws_access_key_id = CONFIG\n[profile of config]\naws_access_key_id = C1\naws_secret_access_key = c1\n"
                            "[profile \"quoted\"]\naws_access_key_id = Q1\naws_secret_access_key = q1\n[other2]\naws_access_key_id = NO\n"
                            "[profile process]\ncredential_process = /bin/keys\n[profile sso]\nsso_session = s\n[profile a]\nrole_arn = r\nsource_profile = b\n"
                            "[profile b]\nrole_arn = r\nsource_profile = a\n[profile lonely]\nrole_arn = r\n");
    check_text(found_now(), "D1", "the default profile is read, the credentials file above the config file");
    check_text(credentials.keys.secret_key, "d+1/x=", "a value keeps its =");
    setenv("AWS_PROFILE", "other", 1);
    check_text(found_now(), "O1", "a profile is chosen by AWS_PROFILE, line ends of another system too");
    check_text(credentials.keys.session_token, "ot", "with its session token");
    setenv("AWS_PROFILE", "of config", 1);
    check_text(found_now(), "C1", "a profile of the config file");
    setenv("AWS_PROFILE", "quoted", 1);
    check_text(found_now(), "Q1", "one in quotes");
    setenv("AWS_PROFILE", "other2", 1);
    check(strcmp(found_now(), "-") == 0 && strstr(error.message, "no profile other2"), "a section of the config file without the word profile is none");
    setenv("AWS_PROFILE", "half", 1);
    check(strcmp(found_now(), "-") == 0 && error.kind == ERROR_PERMANENT && strstr(error.message, "names no keys"), "a profile without an access key is told");
    setenv("AWS_PROFILE", "process", 1);
    check(strcmp(found_now(), "-") == 0 && strstr(error.message, "credential_process") && error.hint[0], "credential_process is named, not run");
    setenv("AWS_PROFILE", "sso", 1);
    check(strcmp(found_now(), "-") == 0 && strstr(error.message, "sso_session"), "so is SSO");
    setenv("AWS_PROFILE", "a", 1);
    check(strcmp(found_now(), "-") == 0 && strstr(error.message, "deep"), "profiles that name each other end");
    setenv("AWS_PROFILE", "lonely", 1);
    check(strcmp(found_now(), "-") == 0 && strstr(error.message, "source_profile"), "a role without a source is told");
    unsetenv("AWS_PROFILE");
}

static void test_region(void)
{
    char region[S3_REGION_MAX];

    s3_profile_region(region);
    check_text(region, "eu-west-3", "a profile's region is read");
}

static void test_containers(void)
{
    static const char *const bad[] = {"http://10.0.0.1/x", "http://169.254.170.3/", "http://127.0.0.1.example.com/", "http://127.0.0.1@10.0.0.1/", "ftp://127.0.0.1/",
                                      "http://[fd00:ec2::24]/"};
    bool all = true;

    file_write(credentials_path, "");
    file_write(config_path, "");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i], 1);
        all = strcmp(found_now(), "-") == 0 && error.kind == ERROR_PERMANENT && strstr(error.message, "FULL_URI is http") && all;
    }
    check(all, "a container's token goes in clear to this machine and to the agents only");
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

static void test_nothing(void)
{
    check(strcmp(found_now(), "-") == 0 && error.kind == ERROR_PERMANENT, "without any credentials a person must act");
    check(strstr(error.message, "AWS_ACCESS_KEY_ID") && strstr(error.message, "AWS_WEB_IDENTITY_TOKEN_FILE") && strstr(error.message, "no profile default") &&
              strstr(error.message, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") && strstr(error.message, "AWS_EC2_METADATA_DISABLED"),
          "every step and what it lacks is named");
    printf("# %s\n", error.message);
    check(strstr(error.hint, "docs/s3.md") != NULL, "and where to read on");
}

/* What the chain finds in the environment it was started in, now and at each of the seconds from now that are given. */
static int ask(int count, char **seconds)
{
    int64_t now_s = clock_wall_us() / 1000000;

    s3_credentials_open(&credentials, NULL, "eu-central-1", (Beat){0}, &error);
    for (int i = -1; i < count; i++) {
        if (s3_credentials_ready(&credentials, now_s + (i < 0 ? 0 : strtoll(seconds[i], NULL, 10)), &error) < 0) {
            printf("error %s\nkind %d\nhint %s\n", error.message, (int)error.kind, error.hint);
            return 1;
        }
        printf("origin %s\naccess_key %s\nsecret_key %s\nsession_token %s\nlasts_s %lld\ngeneration %u\n", credentials.origin, credentials.keys.access_key,
               credentials.keys.secret_key, credentials.keys.session_token,
               (long long)(credentials.keys.expires_s ? credentials.keys.expires_s - now_s : 0), credentials.generation);
    }
    s3_credentials_close(&credentials);
    return 0;
}

int main(int count, char **arguments)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (count > 1 && strcmp(arguments[1], "ask") == 0)
        return ask(count - 2, arguments + 2);
    unsetenv("AWS_PROFILE");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    unsetenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    close(mkstemp(credentials_path));
    close(mkstemp(config_path));
    setenv("AWS_SHARED_CREDENTIALS_FILE", credentials_path, 1);
    setenv("AWS_CONFIG_FILE", config_path, 1);
    test_given();
    test_profiles();
    test_region();
    test_containers();
    test_nothing();
    unlink(credentials_path);
    unlink(config_path);
    curl_global_cleanup();
    return check_end();
}
