"""The vault of credentials: what we encrypt ansible-vault opens, and the other way round; what is wrong is said. Prints TAP lines."""
import os
import pathlib
import subprocess
import sys
import tempfile

from ansible.parsing.vault import AnsibleVaultError, VaultLib, VaultSecret

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD") or ROOT / "build")
PROGRAM = BUILD / ("asan" if "asan" in sys.argv else ".") / "sluice-worker"
PLAIN = 'erp:\n  host: db1\n  password: "gehéim: #1 \U0001f511"\nlake: {access_key: AK, secret_key: s/k+1}\n'
failed = 0


def check(name, holds, detail=""):
    global failed
    failed += not holds
    print(("ok - " if holds else "not ok - ") + name)
    if not holds:
        print(f"# {detail}")


def vault(*arguments, **environment):
    done = subprocess.run([PROGRAM, "vault", *arguments], capture_output=True, text=True, timeout=60,
                          env={"PATH": os.environ["PATH"], **environment})
    return done.returncode, done.stdout, done.stderr


def theirs(key):
    return VaultLib([("default", VaultSecret(key.encode()))])


def key_file(folder, name, text, mode=0o600):
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def main(folder):
    key, other = key_file(folder, "key", " key one \nsecond line\n"), key_file(folder, "other", "two\n")
    path = folder / "v.yml"
    for length in (0, 1, 15, 16, 17, 5000):
        text = "a: {b: '" + "x" * length + "'}\n"
        path.write_bytes(theirs("key one").encrypt(text))
        status, out, _ = vault("view", str(path), "--key-file", key)
        check(f"what ansible-vault encrypted is read: {length} bytes", status == 0 and out == text, out)
    path.write_bytes(theirs("key one").encrypt(PLAIN, vault_id="prod"))
    check("a vault with a label is read", vault("view", str(path), "--key-file", key)[1] == PLAIN)
    path.write_text(PLAIN)
    check("encrypt", vault("encrypt", str(path), "--key-file", key)[0] == 0)
    check("ansible-vault opens what we encrypted", theirs("key one").decrypt(path.read_bytes()).decode() == PLAIN)
    check("the vault is its owner's alone", path.stat().st_mode & 0o777 == 0o600)
    first = path.read_bytes()
    status, _, error = vault("encrypt", str(path), "--key-file", key)
    check("a vault is not encrypted twice", status == 1 and "encrypted already" in error and path.read_bytes() == first, error)
    status, _, error = vault("rekey", str(path), "--key-file", key, "--new-key-file", other)
    check("rekey", status == 0 and theirs("two").decrypt(path.read_bytes()).decode() == PLAIN, error)
    try:
        theirs("key one").decrypt(path.read_bytes())
        check("the old key does not open it any more", False)
    except AnsibleVaultError:
        check("the old key does not open it any more", True)
    status, out, error = vault("view", str(path), "--key-file", key)
    check("a wrong key is told", status == 1 and out == "" and "key does not open" in error, error)
    check("the key of the environment", vault("view", str(path), SLUICE_VAULT_KEY="two")[1] == PLAIN)
    check("the key of a file named in the environment", vault("view", str(path), SLUICE_VAULT_KEY_FILE=other)[1] == PLAIN)
    check("the key of a command", vault("view", str(path), SLUICE_VAULT_KEY_COMMAND=f"head -1 '{other}'; echo more")[1] == PLAIN)
    status, _, error = vault("view", str(path), SLUICE_VAULT_KEY_COMMAND="echo oh >&2; exit 7")
    check("a command that fails is told", status == 1 and "ended with 7" in error, error)
    status, _, error = vault("view", str(path), SLUICE_VAULT_KEY="two", SLUICE_VAULT_KEY_FILE=other)
    check("two keys are refused", status == 1 and "more than one" in error, error)
    status, _, error = vault("view", str(path), "--key-file", key_file(folder, "open", "two", 0o644))
    check("a key file that others can read is refused", status == 1 and "only its owner" in error, error)
    whole = path.read_bytes()
    for cut in (10, 30, 200, len(whole) - 90, len(whole) - 3):
        path.write_bytes(whole[:cut])
        status, out, error = vault("view", str(path), "--key-file", other)
        check(f"a vault cut after {cut} bytes is refused", status == 1 and out == "" and error, out)
    path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    check("an altered vault is refused", vault("view", str(path), "--key-file", other)[0] == 1)
    for text, said in (("a: [1", ":2:1: "), ("a: {b: 1, b: 2}\n", "twice"), ("a: 1\n", "mapping"), ("- a\n", "mapping"), ("a: {b: [1]}\n", "text or numbers")):
        path.write_text(text)
        status, _, error = vault("encrypt", str(path), "--key-file", other)
        check(f"what could not be read back is not encrypted: {text.strip()}", status == 1 and said in error and path.read_text() == text, error)
    path.write_bytes(whole)
    check("decrypt", vault("decrypt", str(path), "--key-file", other)[0] == 0 and path.read_text() == PLAIN)
    check("wrong use has its own code", vault("view")[0] == 2 and vault("open", str(path))[0] == 2)


with tempfile.TemporaryDirectory(prefix="sluice-vault-") as temporary:
    main(pathlib.Path(temporary))
sys.exit(failed > 0)
