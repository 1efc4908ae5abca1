/* vault.c - see vault.h */
#include "secret/vault.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 10000
#define SALT_BYTES 32
#define DIGEST_BYTES 32
#define CIPHER_BLOCK 16
#define LINE_DIGITS 80
#define MARK "$ANSIBLE_VAULT;"

typedef struct VaultKeys {
    uint8_t cipher[32];
    uint8_t digest[32];
    uint8_t counter[CIPHER_BLOCK];
} VaultKeys;

_Static_assert(sizeof(VaultKeys) == 80, "the 80 bytes that PBKDF2 makes");

/* The three parts of a vault, pointing into one block of bytes. */
typedef struct VaultParts {
    const uint8_t *salt, *digest, *cipher;
    size_t salt_length, digest_length, cipher_length;
} VaultParts;

void secret_free(Secret *secret)
{
    if (secret->data) {
        explicit_bzero(secret->data, secret->length);
        free(secret->data);
    }
    *secret = (Secret){0};
}

static int secret_allocate(Secret *secret, size_t length, Error *error)
{
    secret->data = calloc(1, length + 1);
    secret->length = length;
    return secret->data ? 0 : error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
}

static int vault_malformed(Error *error, const char *what)
{
    return error_set(error, ERROR_PERMANENT, "it was cut short or changed: take it from its backup, or write it anew with sluice-worker vault encrypt",
                     "the vault is damaged: %s", what);
}

static int vault_crypto(Error *error)
{
    return error_set(error, ERROR_INTERNAL, NULL, "the cryptographic library refused its work");
}

static int keys_derive(const Secret *key, const uint8_t *salt, size_t salt_length, VaultKeys *ret, Error *error)
{
    if (PKCS5_PBKDF2_HMAC(key->data, (int)key->length, salt, (int)salt_length, ROUNDS, EVP_sha256(), sizeof *ret, (uint8_t *)ret) != 1)
        return vault_crypto(error);
    return 0;
}

/* AES-256-CTR is its own inverse. */
static int cipher_apply(const VaultKeys *keys, const uint8_t *in, size_t length, uint8_t *out, Error *error)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int written = 0;
    bool done = context && EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), NULL, keys->cipher, keys->counter) == 1 &&
                EVP_EncryptUpdate(context, out, &written, in, (int)length) == 1 && (size_t)written == length;

    EVP_CIPHER_CTX_free(context);
    return done ? 0 : vault_crypto(error);
}

static int digest_make(const VaultKeys *keys, const uint8_t *cipher, size_t length, uint8_t ret[DIGEST_BYTES], Error *error)
{
    return HMAC(EVP_sha256(), keys->digest, sizeof keys->digest, cipher, length, ret, NULL) ? 0 : vault_crypto(error);
}

static int digit_value(int digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Hex digits to bytes in place, line ends skipped; -1 on anything else or an odd number of digits. */
static int unhex(uint8_t *text, size_t length, size_t *ret)
{
    size_t digits = 0;

    for (size_t i = 0; i < length; i++) {
        int value = digit_value(text[i]);

        if (text[i] == '\n' || text[i] == '\r')
            continue;
        if (value < 0)
            return -1;
        text[digits / 2] = (uint8_t)(digits % 2 ? text[digits / 2] << 4 | value : value);
        digits++;
    }
    *ret = digits / 2;
    return digits % 2 ? -1 : 0;
}

static void hex(const uint8_t *bytes, size_t length, char *ret)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* The next of the three inner lines, its bytes written over it. */
static int part_next(uint8_t **at, uint8_t *end, const uint8_t **ret, size_t *length)
{
    uint8_t *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));

    *at = stop ? stop + 1 : end;
    *ret = line;
    return unhex(line, (size_t)((stop ? stop : end) - line), length);
}

static int parts_read(uint8_t *body, size_t length, VaultParts *ret, Error *error)
{
    uint8_t *at = body, *end;
    size_t bytes;

    if (unhex(body, length, &bytes) < 0)
        return vault_malformed(error, "behind its first line stand characters that are no hex digits, or an odd number of digits");
    end = body + bytes;
    if (part_next(&at, end, &ret->salt, &ret->salt_length) < 0 || part_next(&at, end, &ret->digest, &ret->digest_length) < 0 ||
        part_next(&at, end, &ret->cipher, &ret->cipher_length) < 0)
        return vault_malformed(error, "its parts are no hex text");
    if (ret->salt_length < 8 || ret->digest_length != DIGEST_BYTES || ret->cipher_length == 0 || ret->cipher_length % CIPHER_BLOCK || at != end)
        return vault_malformed(error, "salt, digest and text are not of the sizes they should be");
    return 0;
}

/* "$ANSIBLE_VAULT;1.2;AES256;label": *body is what follows the line. */
static int header_read(const char *text, size_t length, char label[VAULT_LABEL_MAX], size_t *body, Error *error)
{
    const char *stop = memchr(text, '\n', length);
    size_t line = stop ? (size_t)(stop - text) : length;
    char header[VAULT_LABEL_MAX + 64], version[8], cipher[16];
    int end = 0;

    label[0] = '\0';
    if (line >= sizeof header || line < sizeof MARK || memcmp(text, MARK, sizeof MARK - 1) != 0)
        return error_set(error, ERROR_PERMANENT, "sluice-worker vault encrypt FILE makes a vault of a plain file", "this is not a vault: its first line does not begin with " MARK);
    memcpy(header, text, line);
    header[line] = '\0';
    header[strcspn(header, "\r")] = '\0';
    if (sscanf(header, MARK "%7[0-9.];%15[A-Z0-9]%n", version, cipher, &end) != 2 || (header[end] != '\0' && header[end] != ';'))
        return vault_malformed(error, "its first line cannot be read");
    if ((strcmp(version, "1.1") != 0 && strcmp(version, "1.2") != 0) || strcmp(cipher, "AES256") != 0)
        return error_set(error, ERROR_PERMANENT, "rewrite it with ansible-vault rekey", "the vault has format %s with %s; 1.1 and 1.2 with AES256 can be read", version, cipher);
    if (header[end] == ';')
        snprintf(label, VAULT_LABEL_MAX, "%s", header + end + 1);
    *body = stop ? line + 1 : length;
    return 0;
}

static int parts_open(const VaultParts *parts, const Secret *key, Secret *ret, Error *error)
{
    VaultKeys keys = {0};
    uint8_t digest[DIGEST_BYTES];
    int status = keys_derive(key, parts->salt, parts->salt_length, &keys, error);
    uint8_t padding;

    if (status == 0)
        status = digest_make(&keys, parts->cipher, parts->cipher_length, digest, error);
    if (status == 0 && CRYPTO_memcmp(digest, parts->digest, sizeof digest) != 0)
        status = error_set(error, ERROR_PERMANENT, "check the key; if it is right, the file was changed: take it from its backup",
                           "the key does not open the vault");
    if (status == 0)
        status = secret_allocate(ret, parts->cipher_length, error);
    if (status == 0)
        status = cipher_apply(&keys, parts->cipher, parts->cipher_length, (uint8_t *)ret->data, error);
    explicit_bzero(&keys, sizeof keys);
    if (status < 0) {
        secret_free(ret);
        return -1;
    }
    padding = (uint8_t)ret->data[parts->cipher_length - 1];
    if (padding == 0 || padding > CIPHER_BLOCK) {
        secret_free(ret);
        return vault_malformed(error, "its text does not end as it should");
    }
    explicit_bzero(ret->data + parts->cipher_length - padding, padding);
    ret->length = parts->cipher_length - padding;
    return 0;
}

int vault_decrypt(const char *text, size_t length, const Secret *key, Secret *ret, char label[VAULT_LABEL_MAX], Error *error)
{
    VaultParts parts = {0};
    size_t body;
    uint8_t *bytes;
    int status;

    if (length > VAULT_BYTES_MAX)
        return error_set(error, ERROR_PERMANENT, NULL, "the vault is larger than %zu bytes", VAULT_BYTES_MAX);
    if (header_read(text, length, label, &body, error) < 0)
        return -1;
    bytes = calloc(1, length - body + 1);
    if (!bytes)
        return error_set(error, ERROR_TRANSIENT, NULL, "out of memory");
    memcpy(bytes, text + body, length - body);
    status = parts_read(bytes, length - body, &parts, error);
    if (status == 0)
        status = parts_open(&parts, key, ret, error);
    free(bytes);
    return status;
}

/* salt, digest and ciphertext as three lines of hex, and these as hex in lines of 80. */
static int parts_write(const VaultParts *parts, const char *label, Secret *ret, Error *error)
{
    size_t inner_length = 2 * (SALT_BYTES + DIGEST_BYTES + parts->cipher_length) + 2, digits = 2 * inner_length;
    Secret inner = {0}, outer = {0};
    char *at;
    int written;

    if (secret_allocate(&inner, inner_length, error) < 0 || secret_allocate(&outer, digits, error) < 0 ||
        secret_allocate(ret, digits + digits / LINE_DIGITS + 2 + strlen(label) + 64, error) < 0) {
        secret_free(&inner);
        secret_free(&outer);
        return -1;
    }
    hex(parts->salt, SALT_BYTES, inner.data);
    inner.data[2 * SALT_BYTES] = '\n';
    hex(parts->digest, DIGEST_BYTES, inner.data + 2 * SALT_BYTES + 1);
    inner.data[2 * (SALT_BYTES + DIGEST_BYTES) + 1] = '\n';
    hex(parts->cipher, parts->cipher_length, inner.data + 2 * (SALT_BYTES + DIGEST_BYTES) + 2);
    hex((const uint8_t *)inner.data, inner_length, outer.data);
    written = snprintf(ret->data, ret->length, label[0] ? MARK "1.2;AES256;%s\n" : MARK "1.1;AES256%s\n", label);
    at = ret->data + written;
    for (size_t done = 0; done < digits; done += LINE_DIGITS) {
        size_t line = digits - done < LINE_DIGITS ? digits - done : LINE_DIGITS;

        memcpy(at, outer.data + done, line);
        at[line] = '\n';
        at += line + 1;
    }
    ret->length = (size_t)(at - ret->data);
    secret_free(&inner);
    secret_free(&outer);
    return 0;
}

int vault_encrypt(const Secret *plain, const Secret *key, const char *label, Secret *ret, Error *error)
{
    uint8_t salt[SALT_BYTES], digest[DIGEST_BYTES], padding = (uint8_t)(CIPHER_BLOCK - plain->length % CIPHER_BLOCK);
    VaultKeys keys = {0};
    Secret padded = {0}, cipher = {0};
    int status;

    if (plain->length > VAULT_BYTES_MAX / 5 || strlen(label) >= VAULT_LABEL_MAX || strpbrk(label, ";\r\n"))
        return error_set(error, ERROR_PERMANENT, NULL, "a vault holds at most %zu bytes and a label of one line without semicolon", VAULT_BYTES_MAX / 5);
    status = secret_allocate(&padded, plain->length + padding, error);
    if (status == 0)
        status = secret_allocate(&cipher, plain->length + padding, error);
    if (status == 0 && RAND_bytes(salt, sizeof salt) != 1)
        status = vault_crypto(error);
    if (status == 0)
        status = keys_derive(key, salt, sizeof salt, &keys, error);
    if (status == 0) {
        memcpy(padded.data, plain->data, plain->length);
        memset(padded.data + plain->length, padding, padding);
        status = cipher_apply(&keys, (const uint8_t *)padded.data, padded.length, (uint8_t *)cipher.data, error);
    }
    if (status == 0)
        status = digest_make(&keys, (const uint8_t *)cipher.data, cipher.length, digest, error);
    if (status == 0)
        status = parts_write(&(VaultParts){salt, digest, (const uint8_t *)cipher.data, SALT_BYTES, DIGEST_BYTES, cipher.length}, label, ret, error);
    explicit_bzero(&keys, sizeof keys);
    secret_free(&padded);
    secret_free(&cipher);
    return status;
}
