/* check_network.c - does the name resolve, does the port answer? */
#include "source/check.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0, or an errno. */
static int connect_wait(int file, const struct addrinfo *address, int timeout_ms, Beat beat)
{
    int64_t end = clock_monotonic_ms() + timeout_ms;
    int failure = 0;
    socklen_t size = sizeof failure;

    if (connect(file, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    for (;;) {
        struct pollfd ready = {.fd = file, .events = POLLOUT};
        int64_t left = end - clock_monotonic_ms();
        int got;

        if (left <= 0)
            return ETIMEDOUT;
        got = poll(&ready, 1, left < 500 ? (int)left : 500);
        if (beat_once(beat))
            return EINTR;
        if (got > 0)
            break;
    }
    if (getsockopt(file, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
        return errno;
    return failure;
}

static int try_address(const struct addrinfo *address, int timeout_ms, Beat beat)
{
    int file = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), failure;

    if (file < 0)
        return errno;
    failure = connect_wait(file, address, timeout_ms, beat);
    close(file);
    return failure;
}

int check_network(Check *check, Beat beat, Error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    char port[16], object[300], found[300] = "";
    int failure;

    snprintf(port, sizeof port, "%d", check->port);
    snprintf(object, sizeof object, "%s:%s", check->host, port);
    failure = getaddrinfo(check->host, port, &hints, &addresses);
    if (failure != 0) {
        check_step(check, "dns", check->host, false, CHECK_ERROR, gai_strerror(failure),
                   "a name this machine can resolve, or an address", NULL);
        check_skip(check, "tcp", object);
        return 0;
    }
    (void)getnameinfo(addresses->ai_addr, addresses->ai_addrlen, check->address, sizeof check->address, NULL, 0,
                      NI_NUMERICHOST);
    check_step(check, "dns", check->host, true, CHECK_INFO, check->address, NULL, NULL);
    if (check->instance) {
        /* A named instance's port is told by the browser service (UDP 1434) at login. */
        freeaddrinfo(addresses);
        check_skip(check, "tcp", check->instance);
        return 0;
    }
    failure = ENOENT;
    for (const struct addrinfo *address = addresses; address && failure != 0 && failure != EINTR;
         address = address->ai_next)
        failure = try_address(address, check->login_timeout_s * 1000, beat);
    freeaddrinfo(addresses);
    if (failure == EINTR)
        return error_set(error, ERROR_INTERRUPTED, NULL, "asked to stop while connecting to %s", object);
    if (failure != 0)
        snprintf(found, sizeof found, "%s", strerror(failure));
    check_step(check, "tcp", object, failure == 0, CHECK_ERROR, found,
               "a server that listens there, and no firewall between", NULL);
    return 0;
}
