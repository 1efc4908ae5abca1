/*
 * mssql-sim: the SQL Server simulator. Options, the listener, one process a connection, one for the capture job.
 */
#include "serve.h"
#include "journal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_SPID = 51, CHILDREN_MAX = 1024, STOP_MS = 3000 };

typedef struct Options {
    ServeOptions serve;
    const char *address, *login, *password, *log, *ready_file, *tls_cert, *tls_key;
    int port, capture_interval_ms;
} Options;

typedef struct Children {
    pid_t pids[CHILDREN_MAX];
    int count;
    int crashed; /* how many died by a signal that nobody meant */
} Children;

static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    (void)number;
    stopping = 1;
}

static void on_child(int number)
{
    (void)number;
}

static void usage(FILE *out)
{
    fputs("usage: mssql-sim --conninfo CONNINFO [options]\n"
          "  --conninfo CONNINFO        PostgreSQL that keeps the data (an empty database is furnished)\n"
          "  --address A                listen address (127.0.0.1)\n"
          "  --port N                   listen port; 0 chooses one and prints it (1433)\n"
          "  --login NAME               first sysadmin login (sa)\n"
          "  --password TEXT            its password (or environment MSSQL_SIM_PASSWORD)\n"
          "  --ready-file PATH          written with the port once connections are accepted\n"
          "  --log PATH                 one line a login and a statement\n"
          "  --fault-file PATH          faults on demand, see README.md\n"
          "  --encrypt off|login|on     TLS: none, of the login only, of everything (off)\n"
          "  --tls-cert PATH --tls-key PATH   PEM files for login and on\n"
          "  --capture-interval-ms N    pause between two scans of the capture job (200; 0 = no capture job)\n",
          out);
}

static Encryption encryption_parse(const char *text)
{
    if (strcmp(text, "off") == 0)
        return ENCRYPTION_OFF;
    if (strcmp(text, "login") == 0)
        return ENCRYPTION_LOGIN;
    if (strcmp(text, "on") == 0)
        return ENCRYPTION_ON;
    fprintf(stderr, "mssql-sim: --encrypt takes off, login or on, not \"%s\"\n", text);
    exit(2);
}

static int number_parse(const char *name, const char *text, int most)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (*text && !*end && number >= 0 && number <= most)
        return (int)number;
    fprintf(stderr, "mssql-sim: --%s takes a number from 0 to %d, not \"%s\"\n", name, most, text);
    exit(2);
}

static void options_parse(int argc, char **argv, Options *options)
{
    static const struct option table[] = {{"conninfo", 1, NULL, 'c'}, {"address", 1, NULL, 'a'},
                                          {"port", 1, NULL, 'p'},     {"login", 1, NULL, 'l'},
                                          {"password", 1, NULL, 'w'}, {"ready-file", 1, NULL, 'r'},
                                          {"log", 1, NULL, 'g'},      {"fault-file", 1, NULL, 'f'},
                                          {"encrypt", 1, NULL, 'e'},  {"tls-cert", 1, NULL, 't'},
                                          {"tls-key", 1, NULL, 'k'},  {"capture-interval-ms", 1, NULL, 'i'},
                                          {"help", 0, NULL, 'h'},     {NULL, 0, NULL, 0}};
    int option;

    *options = (Options){.serve = {.encryption = ENCRYPTION_OFF},
                         .address = "127.0.0.1",
                         .login = "sa",
                         .password = getenv("MSSQL_SIM_PASSWORD"),
                         .port = 1433,
                         .capture_interval_ms = 200};
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->serve.conninfo = optarg;
            break;
        case 'a':
            options->address = optarg;
            break;
        case 'p':
            options->port = number_parse("port", optarg, 65535);
            break;
        case 'l':
            options->login = optarg;
            break;
        case 'w':
            options->password = optarg;
            break;
        case 'r':
            options->ready_file = optarg;
            break;
        case 'g':
            options->log = optarg;
            break;
        case 'f':
            options->serve.fault_file = optarg;
            break;
        case 'e':
            options->serve.encryption = encryption_parse(optarg);
            break;
        case 't':
            options->tls_cert = optarg;
            break;
        case 'k':
            options->tls_key = optarg;
            break;
        case 'i':
            options->capture_interval_ms = number_parse("capture-interval-ms", optarg, 3600000);
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (!options->serve.conninfo || !options->password || optind < argc) {
        fputs("mssql-sim: --conninfo and --password (or MSSQL_SIM_PASSWORD) are needed\n", stderr);
        usage(stderr);
        exit(2);
    }
}

static SSL_CTX *tls_context(const Options *options)
{
    SSL_CTX *context;

    if (options->serve.encryption == ENCRYPTION_OFF)
        return NULL;
    context = SSL_CTX_new(TLS_server_method());
    if (!options->tls_cert || !options->tls_key || !context ||
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_use_certificate_chain_file(context, options->tls_cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, options->tls_key, SSL_FILETYPE_PEM) != 1) {
        fputs("mssql-sim: --encrypt needs a readable --tls-cert and --tls-key that belong together\n", stderr);
        exit(2);
    }
    return context;
}

/* Returns the listening socket; *port becomes the port that was chosen. */
static int listen_open(const char *address, int *port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t size = sizeof name;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || inet_pton(AF_INET, address, &name.sin_addr) != 1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 256) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return -1;
    *port = ntohs(name.sin_port);
    return fd;
}

/* By a name beside it and rename, so that nobody reads half a number. */
static int ready_write(const char *path, int port)
{
    char temporary[4096];

    if (!path)
        return 0;
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    if (!file)
        return -1;
    fprintf(file, "%d\n", port);
    return fclose(file) == 0 && rename(temporary, path) == 0 ? 0 : -1;
}

static void signals_child(void)
{
    sigset_t none;

    sigemptyset(&none);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1)
        _exit(0);
}

static void sleep_ms(int ms)
{
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}

static void capture_loop(const Options *options)
{
    SqlError error;
    char last[sizeof error.text] = "";

    for (;;) {
        memset(&error, 0, sizeof error);
        if (engine_capture_cycle(options->serve.conninfo, &error) == 0) {
            last[0] = '\0';
        } else if (strcmp(last, error.text) != 0) { /* the same trouble is told once */
            fprintf(stderr, "mssql-sim: capture job: %s\n", error.text);
            memcpy(last, error.text, sizeof last);
        }
        sleep_ms(options->capture_interval_ms);
    }
}

static void children_reap(Children *children, pid_t *capture)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        bool meant = !WIFSIGNALED(status) || WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL;
        if (!meant)
            fprintf(stderr, "mssql-sim: process %d died by signal %d\n", (int)pid, WTERMSIG(status));
        children->crashed += !meant;
        if (pid == *capture)
            *capture = 0;
        for (int i = 0; i < children->count; i++)
            if (children->pids[i] == pid)
                children->pids[i--] = children->pids[--children->count];
    }
}

static pid_t capture_start(const Options *options, int listener)
{
    pid_t pid = options->capture_interval_ms ? fork() : -1;

    if (pid == 0) {
        signals_child();
        close(listener);
        capture_loop(options);
    }
    return pid;
}

static void client_start(const Options *options, Children *children, int listener, uint16_t spid)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pid_t pid = children->count < CHILDREN_MAX ? fork() : -1;
    if (pid == 0) {
        signals_child();
        close(listener);
        serve_client(&options->serve, fd, spid);
        exit(0);
    }
    if (pid > 0)
        children->pids[children->count++] = pid;
    close(fd);
}

/* First a request, then force; nobody is left behind. */
static void children_stop(Children *children, pid_t capture)
{
    for (int waited = 0; children->count > 0 || capture > 0; waited += 20) {
        int number = waited < STOP_MS ? SIGTERM : SIGKILL;
        if (waited % STOP_MS == 0) {
            for (int i = 0; i < children->count; i++)
                kill(children->pids[i], number);
            if (capture > 0)
                kill(capture, number);
        }
        sleep_ms(20);
        children_reap(children, &capture);
    }
}

/* Returns how many processes crashed. */
static int serve_loop(const Options *options, int listener)
{
    static Children children;
    struct pollfd poller = {.fd = listener, .events = POLLIN};
    pid_t capture = capture_start(options, listener);
    uint16_t spid = FIRST_SPID;
    sigset_t blocked, open;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &open);
    while (!stopping) {
        int ready = ppoll(&poller, 1, NULL, &open);
        children_reap(&children, &capture);
        if (capture == 0 && !stopping) { /* the job died: SQL Server Agent would start it again, after a pause */
            sleep_ms(100);
            capture = capture_start(options, listener);
        }
        if (ready > 0 && !stopping) {
            sigprocmask(SIG_SETMASK, &open, NULL);
            client_start(options, &children, listener, spid);
            sigprocmask(SIG_BLOCK, &blocked, NULL);
            spid = spid >= 32767 ? FIRST_SPID : (uint16_t)(spid + 1);
        }
    }
    close(listener);
    children_stop(&children, capture);
    return children.crashed;
}

int main(int argc, char **argv)
{
    struct sigaction stop = {.sa_handler = on_stop}, child = {.sa_handler = on_child};
    Options options;
    SqlError error = {0};

    options_parse(argc, argv, &options);
    options.serve.tls = tls_context(&options);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGCHLD, &child, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (engine_install(options.serve.conninfo, options.login, options.password, &error) != 0) {
        fprintf(stderr, "mssql-sim: %s\n", error.text);
        return 1;
    }
    if (fault_setup() != 0 || journal_open(options.log) != 0) {
        fprintf(stderr, "mssql-sim: cannot open the log \"%s\": %s\n", options.log, strerror(errno));
        return 1;
    }
    int port = options.port, listener = listen_open(options.address, &port);
    if (listener < 0) {
        fprintf(stderr, "mssql-sim: cannot listen on %s:%d: %s\n", options.address, port, strerror(errno));
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    if (ready_write(options.ready_file, port) != 0) {
        fprintf(stderr, "mssql-sim: cannot write \"%s\": %s\n", options.ready_file, strerror(errno));
        return 1;
    }
    int crashed = serve_loop(&options, listener);
    if (options.ready_file)
        unlink(options.ready_file);
    SSL_CTX_free(options.serve.tls);
    return crashed ? 3 : 0;
}
