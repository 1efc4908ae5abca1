/*
 * vault.h - text encrypted with a password, in the format of ansible-vault, so that both can open what the other wrote.
 *
 * Format 1.1 and 1.2 (docs.ansible.com, "Encrypting content with Ansible Vault", section "Format of files encrypted with Ansible Vault"):
 * a header line "$ANSIBLE_VAULT;1.1;AES256" or "$ANSIBLE_VAULT;1.2;AES256;label"; then, in lines of 80 characters, the hex form of three
 * lines which are hex themselves: salt (32 bytes), HMAC-SHA256 of the ciphertext, ciphertext. PBKDF2-HMAC-SHA256 with 10000 rounds makes 80
 * bytes of the password: cipher key 32, HMAC key 32, counter 16. The cipher is AES-256-CTR over text padded as PKCS#7 to 16 bytes.
 */
#ifndef SLUICE_VAULT_H
#define SLUICE_VAULT_H

#include "base/error.h"
#include <stddef.h>

#define VAULT_BYTES_MAX ((size_t)1 << 20) /* of the encrypted file */
#define VAULT_LABEL_MAX 256

/* Bytes that are overwritten before they are freed. */
typedef struct Secret {
    char *data; /* malloc'ed, a 0 byte follows */
    size_t length;
} Secret;

void secret_free(Secret *secret);

/* ERROR_PERMANENT: not a vault, another version or cipher, cut short or altered, or the key is not the one it was written with; the last two cannot be told
 * apart unless the text is malformed. label: "" where the header has none. */
int vault_decrypt(const char *text, size_t length, const Secret *key, Secret *ret, char label[VAULT_LABEL_MAX], Error *error);
/* label "": format 1.1, else 1.2. A new salt each time. */
int vault_encrypt(const Secret *plain, const Secret *key, const char *label, Secret *ret, Error *error);

#endif
