// tcp send ADDRESS PORT BYTES    connects, and sends zeros
// tcp receive PORT               takes one connection to its end, and prints "BYTES SECONDS" from the first
// byte on
//
// 64 KiB a call, as iperf does: what is measured is the network, not the copying of small pieces.

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 16];

static void check(int outcome, const char* what) {
    if (outcome < 0) {
        fprintf(stderr, "tcp: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int open_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd, "socket");
    return fd;
}

static void send_zeros(const char* to, int port, long long bytes) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, to, &address.sin_addr);
    int fd = -1;
    // Who receives may come later.
    for (int tries = 0; tries < 100; tries++) {
        fd = open_socket();
        if (connect(fd, (struct sockaddr*)&address, sizeof address) == 0)
            break;
        close(fd);
        fd = -1;
        usleep(100000);
    }
    check(fd, "connect");
    while (bytes > 0) {
        ssize_t sent = write(fd, buffer, bytes < (long long)sizeof buffer ? (size_t)bytes : sizeof buffer);
        check((int)sent, "write");
        bytes -= sent;
    }
    close(fd);
}

static void receive(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = open_socket();
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    check(bind(listener, (struct sockaddr*)&address, sizeof address), "bind");
    check(listen(listener, 1), "listen");
    int fd = accept(listener, NULL, NULL);
    check(fd, "accept");
    long long total = 0;
    double begin = 0;
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        if (total == 0)
            begin = now_s();
        total += n;
    }
    printf("%lld %.6f\n", total, now_s() - begin);
}

int main(int argc, char** argv) {
    if (argc == 5 && strcmp(argv[1], "send") == 0) {
        send_zeros(argv[2], atoi(argv[3]), atoll(argv[4]));
    } else if (argc == 3 && strcmp(argv[1], "receive") == 0) {
        receive(atoi(argv[2]));
    } else {
        fputs("usage: tcp send ADDRESS PORT BYTES | receive PORT\n", stderr);
        return 2;
    }
    return 0;
}
