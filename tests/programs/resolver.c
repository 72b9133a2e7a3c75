// resolver ADDRESS PORT [UPSTREAM]: a name server, over UDP and TCP. Every name has the address 10.9.8.7,
// and 10.9.8.6 for who asks over TCP; with an UPSTREAM what comes over UDP is asked there, at port 53. Says
// "ready" when it listens.
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { header_size = 12, most = 65535 };

static void check(int outcome, const char* what) {
    if (outcome < 0) {
        perror(what);
        exit(1);
    }
}

static struct sockaddr_in endpoint(const char* address, int port) {
    struct sockaddr_in made = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &made.sin_addr) != 1) {
        fprintf(stderr, "resolver: no address: %s\n", address);
        exit(2);
    }
    return made;
}

static int bound(int type, struct sockaddr_in at) {
    int socket_fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    check(socket_fd, "socket");
    int on = 1;
    setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    check(bind(socket_fd, (struct sockaddr*)&at, sizeof at), "bind");
    return socket_fd;
}

// Turns a query of one question into its answer: that of type A has an address, others have nothing.
static size_t answer(unsigned char* message, size_t size, unsigned char last) {
    size_t end = header_size;
    while (end < size && message[end] != 0)
        end += 1 + message[end];
    end += 1 + 4; // type and class
    if (size < header_size || end > size || end + 16 > most)
        return 0;
    int is_address = message[end - 4] == 0 && message[end - 3] == 1;
    message[2] = 0x85; // an answer, with authority
    message[3] = 0x80;
    message[7] = is_address;
    memset(message + 8, 0, 4);
    const unsigned char record[16] = {0xc0, header_size, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 9, 8, last};
    if (is_address)
        memcpy(message + end, record, sizeof record);
    return is_address ? end + sizeof record : end;
}

static size_t ask(const char* upstream, unsigned char* message, size_t size) {
    struct sockaddr_in there = endpoint(upstream, 53);
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(client, "socket");
    struct timeval limit = {.tv_sec = 3};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    // Not connected, as musl's own queries: others than the one that was asked are not believed.
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    ssize_t got = -1;
    if (sendto(client, message, size, 0, (struct sockaddr*)&there, sizeof there) > 0)
        got = recvfrom(client, message, most, 0, (struct sockaddr*)&from, &from_size);
    close(client);
    if (got <= 0 || from.sin_addr.s_addr != there.sin_addr.s_addr || from.sin_port != there.sin_port)
        return 0;
    return (size_t)got;
}

static void serve_datagram(int server, const char* upstream) {
    static unsigned char message[most];
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(server, message, sizeof message, 0, (struct sockaddr*)&from, &from_size);
    size_t answered = 0;
    if (size > 0)
        answered = upstream ? ask(upstream, message, (size_t)size) : answer(message, (size_t)size, 7);
    if (answered > 0)
        sendto(server, message, answered, 0, (struct sockaddr*)&from, from_size);
}

static void serve_connection(int server) {
    static unsigned char message[2 + most];
    int client = accept(server, NULL, NULL);
    if (client < 0)
        return;
    if (recv(client, message, 2, MSG_WAITALL) == 2) {
        size_t size = (size_t)message[0] << 8 | message[1];
        if (recv(client, message + 2, size, MSG_WAITALL) == (ssize_t)size) {
            size = answer(message + 2, size, 6);
            message[0] = (unsigned char)(size >> 8);
            message[1] = (unsigned char)size;
            send(client, message, size + 2, MSG_NOSIGNAL);
        }
    }
    close(client);
}

int main(int count, char** arguments) {
    if (count < 3) {
        fputs("usage: resolver ADDRESS PORT [UPSTREAM]\n", stderr);
        return 2;
    }
    struct sockaddr_in at = endpoint(arguments[1], atoi(arguments[2]));
    struct pollfd servers[2] = {{.fd = bound(SOCK_DGRAM, at), .events = POLLIN},
                                {.fd = bound(SOCK_STREAM, at), .events = POLLIN}};
    check(listen(servers[1].fd, 16), "listen");
    puts("ready");
    fflush(stdout);
    while (poll(servers, 2, -1) > 0) {
        if (servers[0].revents & POLLIN)
            serve_datagram(servers[0].fd, arguments[3]); // argv ends with NULL
        if (servers[1].revents & POLLIN)
            serve_connection(servers[1].fd);
    }
    return 1;
}
