/* vault_command.c - see vault_command.h */
#include "vault_command.h"

#include "secret/store.h"

#include <stdio.h>
#include <string.h>

typedef struct VaultCommand {
    const char *action, *path, *key_file, *new_key_file, *label;
} VaultCommand;

static int vault_usage(void)
{
    fputs("usage: sluice-worker vault encrypt FILE [--key-file KEY] [--label LABEL]\n"
          "       sluice-worker vault decrypt FILE [--key-file KEY]\n"
          "       sluice-worker vault view FILE [--key-file KEY]\n"
          "       sluice-worker vault rekey FILE --new-key-file KEY [--key-file KEY]\n"
          "\n"
          "FILE holds the credentials of sources and targets in YAML, encrypted as ansible-vault does it: ansible-vault edit FILE works too.\n"
          "KEY is a file of mode 0600 whose first line is the key. Without --key-file the key comes from where the worker takes it: SLUICE_VAULT_KEY_FILE,\n"
          "SLUICE_VAULT_KEY or SLUICE_VAULT_KEY_COMMAND. encrypt, decrypt and rekey replace FILE as a whole; view prints.\n",
          stderr);
    return 2;
}

static int command_read(int count, char **arguments, VaultCommand *ret)
{
    *ret = (VaultCommand){.label = ""};
    for (int i = 0; i < count; i++) {
        const char **option = strcmp(arguments[i], "--key-file") == 0       ? &ret->key_file
                              : strcmp(arguments[i], "--new-key-file") == 0 ? &ret->new_key_file
                              : strcmp(arguments[i], "--label") == 0        ? &ret->label
                                                                            : NULL;

        if (option && i + 1 < count)
            *option = arguments[++i];
        else if (!option && !ret->action)
            ret->action = arguments[i];
        else if (!option && !ret->path && arguments[i][0] != '-')
            ret->path = arguments[i];
        else
            return -1;
    }
    return ret->action && ret->path && (strcmp(ret->action, "rekey") == 0) == (ret->new_key_file != NULL) ? 0 : -1;
}

static int vault_seal(const VaultCommand *command, const Secret *plain, const Secret *key, const char *label, Error *error)
{
    Secret text = {0};
    int status = vault_encrypt(plain, key, label, &text, error);

    if (status == 0)
        status = store_write(command->path, &text, error);
    secret_free(&text);
    return status;
}

static int encrypt_run(const VaultCommand *command, const Secret *text, const Secret *key, Error *error)
{
    cJSON *entries = NULL;

    if (strncmp(text->data, "$ANSIBLE_VAULT;", 15) == 0)
        return error_set(error, ERROR_PERMANENT, "sluice-worker vault view FILE shows what is in it, rekey gives it another key", "%s is encrypted already", command->path);
    if (store_parse(command->path, text, &entries, error) < 0) /* what cannot be read back is not locked away */
        return -1;
    json_wipe(entries);
    return vault_seal(command, text, key, command->label, error);
}

static int rekey_run(const VaultCommand *command, const Secret *plain, const char *label, Error *error)
{
    Secret key = {0};
    int status = store_key(command->new_key_file, &key, error);

    if (status == 0)
        status = vault_seal(command, plain, &key, label, error);
    secret_free(&key);
    return status;
}

static int vault_run(const VaultCommand *command, Error *error)
{
    Secret text = {0}, key = {0}, plain = {0};
    char label[VAULT_LABEL_MAX];
    int status = store_read(command->path, &text, error);

    if (status == 0)
        status = store_key(command->key_file, &key, error);
    if (status == 0 && strcmp(command->action, "encrypt") == 0) {
        status = encrypt_run(command, &text, &key, error);
    } else if (status == 0) {
        status = vault_decrypt(text.data, text.length, &key, &plain, label, error);
        if (status == 0 && strcmp(command->action, "view") == 0)
            status = fwrite(plain.data, 1, plain.length, stdout) == plain.length && fflush(stdout) == 0 ? 0 : error_set(error, ERROR_PERMANENT, NULL, "the text cannot be printed");
        else if (status == 0 && strcmp(command->action, "decrypt") == 0)
            status = store_write(command->path, &plain, error);
        else if (status == 0)
            status = rekey_run(command, &plain, label, error);
    }
    secret_free(&text);
    secret_free(&key);
    secret_free(&plain);
    return status;
}

int vault_command(int count, char **arguments)
{
    static const char *const actions[] = {"encrypt", "decrypt", "view", "rekey"};
    VaultCommand command;
    Error error;

    if (command_read(count, arguments, &command) < 0)
        return vault_usage();
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(command.action, actions[i]) != 0)
            continue;
        if (vault_run(&command, &error) == 0)
            return 0;
        fprintf(stderr, "sluice-worker: %s%s%s\n", error.message, error.hint[0] ? "\nHINT: " : "", error.hint);
        return 1;
    }
    return vault_usage();
}
