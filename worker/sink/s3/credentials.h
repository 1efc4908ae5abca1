/*
 * credentials.h - the keys that requests are signed with: where they come from, and that they are fresh. Inside sink/ only.
 *
 * The order is that of AWS's SDKs ("Standardized credential providers", AWS SDKs and Tools reference guide): the target's own secret,
 * environment, web identity, shared profile, container, instance (IMDSv2). The first that is set up decides: if it fails, none after it
 * is asked. Keys that expire are renewed 5 minutes before, by the same order. No key, token or secret stands in any error.
 */
#ifndef SLUICE_SINK_S3_CREDENTIALS_H
#define SLUICE_SINK_S3_CREDENTIALS_H

#include "sink/s3/fetch.h"
#include "sink/sink.h"
#include <limits.h>

#define S3_TOKEN_MAX 4096
#define S3_REGION_MAX 64

typedef struct S3Keys {
    char access_key[160], secret_key[160];
    char session_token[S3_TOKEN_MAX]; /* "" for none */
    int64_t expires_s;                /* seconds since 1970; 0 = never */
} S3Keys;

typedef struct S3Credentials {
    S3Keys keys;
    S3Keys given;              /* the target's own, or empty */
    char region[S3_REGION_MAX]; /* where STS is asked */
    Beat beat;
    const char *origin;        /* the step that gave the keys; NULL before the first */
    bool renewable;            /* asking again can give others */
    int64_t renew_s;           /* when to renew; 0 = never */
    unsigned generation;       /* grows with each change of keys */
} S3Credentials;

/* Takes the target's own keys; asks nobody. */
int s3_credentials_open(S3Credentials *credentials, const SinkSecret *secret, const char *region, Beat beat, Error *error);
void s3_credentials_close(S3Credentials *credentials);
/* Keys that are good at `now_s` stand in credentials->keys. May wait for the network. */
int s3_credentials_ready(S3Credentials *credentials, int64_t now_s, Error *error);
/* The server called keys of this generation expired: true where others stand there now. */
bool s3_credentials_renew(S3Credentials *credentials, unsigned generation, int64_t now_s);

/* One step each: 1 = these are the keys, 0 = not set up here (error->message says what is missing), -1 = set up, and it failed. */
int s3_environment_keys(S3Keys *ret, Error *error);
int s3_web_identity_keys(const S3Credentials *asker, S3Keys *ret, Error *error);
int s3_profile_keys(const S3Credentials *asker, S3Keys *ret, Error *error);
int s3_container_keys(const S3Credentials *asker, S3Keys *ret, Error *error);
int s3_instance_keys(const S3Credentials *asker, S3Keys *ret, Error *error);

/* What a role is asked for with. */
typedef struct S3Role {
    const char *arn;
    const char *session_name; /* "" = one of ours */
    const char *external_id;  /* "" = none */
    const char *token_file;   /* of a web identity; "" = signed with keys */
    int duration_s;           /* 0 = STS's default, an hour */
} S3Role;

/* STS AssumeRoleWithWebIdentity where the role has a token file, else AssumeRole signed with `keys`. 0 or -1. */
int s3_role_assume(const S3Credentials *asker, const S3Role *role, const S3Keys *keys, S3Keys *ret, Error *error);

/* The region of the shared profile; "" where it names none. */
void s3_profile_region(char ret[S3_REGION_MAX]);
/* Copies a key; refuses what no key has (blanks, line ends) and what is too long, without repeating it. */
int s3_keys_set(S3Keys *ret, const char *access_key, const char *secret_key, const char *token, const char *whose, Error *error);

#endif
