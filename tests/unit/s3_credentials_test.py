"""Credentials over the network: STS (moto), a container's agent and an instance's metadata (a small server here). Prints TAP lines.

The program under test is sink_s3_credentials_test, which prints what the chain finds in its environment. Signatures are judged by botocore.
"""
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from moto.server import ThreadedMotoServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "peers" / "s3"))

from keyserver import SECRET, Server, instance, keys  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD") or ROOT / "build")
PROGRAM = BUILD / "unit" / "sink_s3_credentials_test"
ROLE = "arn:aws:iam::111122223333:role/lake"
failed = 0


def check(name, holds, detail=""):
    global failed
    failed += not holds
    print(("ok - " if holds else "not ok - ") + name)
    if not holds:
        print(f"# {detail}")


def ask(*seconds, **environment):
    """(members found, whole output); the environment has nothing of ours but what is given."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true", **environment}
    result = subprocess.run([PROGRAM, "ask", *map(str, seconds)], env=env, capture_output=True, text=True, timeout=60)
    found = {}
    for line in result.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}, result.stdout + result.stderr


# ---- instance -------------------------------------------------------------------
def test_instance():
    with instance() as server:
        on = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url + "/", "AWS_EC2_METADATA_DISABLED": "false"}
        found, output = ask(**on)
        check("an instance's role gives keys, asked for with a token", found.get("access_key") == "INSTANCE" and found["origin"] == "instance metadata"
              and found["session_token"] == "token-of-INSTANCE" and 3500 < int(found["lasts_s"]) <= 3601, output)
        count = len(server.requests)
        ask(3200, **on)
        check("keys that last are asked for once", len(server.requests) == 2 * count, f"{len(server.requests)} of {count}")
        ask(3400, **on)
        check("they are renewed five minutes before they end", len(server.requests) == 4 * count, f"{len(server.requests)} of {count}")
        found, output = ask(AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url)
        check("AWS_EC2_METADATA_DISABLED is honoured", "AWS_EC2_METADATA_DISABLED" in found.get("error", "") and len(server.requests) == 4 * count, output)
    with instance(given=lambda: keys("INSTANCE", -60)) as server:
        found, output = ask(AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url, AWS_EC2_METADATA_DISABLED="false")
        check("keys that an instance gives out late are taken all the same", found.get("access_key") == "INSTANCE", output)
    with Server({"/latest/api/token": lambda _: (200, "imds-token")}) as server:
        found, output = ask(AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url, AWS_EC2_METADATA_DISABLED="false")
        check("an instance without a role has no keys", "HTTP 404" in found.get("error", "") and "no credentials" in found["error"], output)
    begin = time.monotonic()
    found, output = ask(AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:9", AWS_EC2_METADATA_DISABLED="false")
    check("where no instance answers, every step is told", all(word in found.get("error", "") for word in ("environment", "web identity", "profile", "container",
          "instance metadata")) and time.monotonic() - begin < 20, output)
    flaky = iter([(500, ""), (200, "imds-token")])
    with instance({"/latest/api/token": lambda _: next(flaky)}) as server:
        found, output = ask(AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url, AWS_EC2_METADATA_DISABLED="false")
        check("a metadata service that fails once is asked again", found.get("access_key") == "INSTANCE", output)


# ---- container ------------------------------------------------------------------
def test_container(folder):
    def agent(handler):
        return (200, keys("CONTAINER")) if handler.headers.get("Authorization") == "container-token" else (403, SECRET)

    with Server({"/v2/keys": agent}) as server:
        where = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/v2/keys"}
        found, output = ask(AWS_CONTAINER_AUTHORIZATION_TOKEN="container-token", **where)
        check("a container's agent gives keys for the token of the environment", found.get("access_key") == "CONTAINER" and found["origin"] == "container", output)
        token = folder / "token"
        token.write_text("container-token\n")
        found, output = ask(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token), AWS_CONTAINER_AUTHORIZATION_TOKEN="old", **where)
        check("a token file stands above it (EKS Pod Identity)", found.get("access_key") == "CONTAINER", output)
        found, output = ask(AWS_CONTAINER_AUTHORIZATION_TOKEN="wrong-token", **where)
        check("an agent that refuses ends the search, and no secret is told", "container" in found.get("error", "") and "403" in found["error"]
              and "wrong-token" not in output and SECRET not in output, output)
        token.write_text("two\nlines\n")
        found, output = ask(AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token), **where)
        check("a token of two lines is refused", "more than one line" in found.get("error", ""), output)
    with Server({"/v2/keys": lambda _: (200, '{"SecretAccessKey": "' + SECRET)}) as server:
        found, output = ask(AWS_CONTAINER_CREDENTIALS_FULL_URI=server.url + "/v2/keys")
        check("an answer that is cut is no answer", "no credentials" in found.get("error", "") and SECRET not in output, output)


# ---- STS ------------------------------------------------------------------------
def test_sts(folder):
    token = folder / "web-token"
    token.write_text("a.web.token\n")
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    sts = {"AWS_ENDPOINT_URL_STS": f"http://{host}:{port}"}
    try:
        found, output = ask(AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_ARN=ROLE, **sts)
        check("a web identity's token becomes a role's keys", found.get("origin") == "web identity" and found["access_key"].startswith("ASIA")
              and found["session_token"] and 3000 < int(found["lasts_s"]) <= 3601, output)
        found, output = ask(3400, AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_ARN=ROLE, **sts)
        check("and is asked again before they end", found.get("generation") == ["1", "2"], output)
        found, output = ask(AWS_CONFIG_FILE=str(profiles(folder)), AWS_PROFILE="lake", **sts)
        check("a profile's role is taken with the keys of its source", found.get("origin") == "profile" and found["access_key"].startswith("ASIA"), output)
        found, output = ask(AWS_CONFIG_FILE=str(profiles(folder)), AWS_PROFILE="web", **sts)
        check("or with a web identity", found.get("access_key", "").startswith("ASIA"), output)
        found, output = ask(AWS_CONFIG_FILE=str(profiles(folder)), AWS_PROFILE="from-environment", AWS_SECRET_ACCESS_KEY="k", **sts)
        check("a source that has no keys is named", "AWS_ACCESS_KEY_ID is not set" in found.get("error", ""), output)
    finally:
        moto.stop()
    found, output = ask(AWS_WEB_IDENTITY_TOKEN_FILE=str(token), **sts)
    check("a token without a role says which variable is missing", "AWS_ROLE_ARN" in found.get("error", ""), output)
    found, output = ask(AWS_WEB_IDENTITY_TOKEN_FILE=str(folder / "absent"), AWS_ROLE_ARN=ROLE, **sts)
    check("an absent token file is named", "absent" in found.get("error", "") and found["kind"] == "1", output)


def profiles(folder):
    path = folder / "config"
    path.write_text(f"[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base-secret\naws_session_token = base-token\n"
                    f"[profile lake]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = ext & 1\nduration_seconds = 900\nrole_session_name = night\n"
                    f"[profile web]\nrole_arn = {ROLE}\nweb_identity_token_file = {folder / 'web-token'}\n"
                    f"[profile from-environment]\nrole_arn = {ROLE}\ncredential_source = Environment\n")
    return path


def test_sts_request(folder):
    """What is sent: every parameter, and a signature that botocore makes too."""
    refusal = (403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>")
    with Server({"/": lambda _: refusal}) as server:
        found, output = ask(AWS_CONFIG_FILE=str(profiles(folder)), AWS_PROFILE="lake", AWS_ENDPOINT_URL_STS=server.url)
        request = server.requests[0]
    check("a role that is refused is named with the reason, and no secret", all(word in found.get("error", "") for word in (ROLE, "AccessDenied", "not you"))
          and found["kind"] == "1" and "base-secret" not in output and "base-token" not in output and len(server.requests) == 1, output)
    sent = dict(urllib.parse.parse_qsl(request.body.decode()))
    check("a profile's settings are sent", sent == {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "night",
                                                  "DurationSeconds": "900", "ExternalId": "ext & 1"}, sent)
    signed = botocore.awsrequest.AWSRequest("POST", f"{server.url}/", data=request.body, headers={"Content-Type": request.headers["content-type"]})
    auth = botocore.auth.SigV4Auth(botocore.credentials.Credentials("AKIDBASE", "base-secret", "base-token"), "sts", "eu-central-1")
    stamp = request.headers["x-amz-date"]
    signed.context["timestamp"] = stamp
    signed.headers["X-Amz-Date"] = stamp
    signed.headers["X-Amz-Security-Token"] = "base-token"
    wanted = auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
    check("AssumeRole is signed as botocore signs it", request.headers["authorization"].endswith("Signature=" + wanted), request.headers["authorization"])
    busy = iter([(500, ""), (503, ""), refusal])
    with Server({"/": lambda _: next(busy)}) as server:
        ask(AWS_CONFIG_FILE=str(profiles(folder)), AWS_PROFILE="lake", AWS_ENDPOINT_URL_STS=server.url)
        check("an STS in trouble is asked three times", len(server.requests) == 3, len(server.requests))


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        test_instance()
        test_container(folder)
        test_sts(folder)
        test_sts_request(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
