// drain SOURCE BYTES
//
// Reads from a unix socket (or standard input: "-") to the end and prints how many bytes came and how many
// seconds passed between the first and number BYTES: "BYTES SECONDS".

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// The socket may come later than this program: it is QEMU's.
static int connect_to(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, path);
    for (int tries = 0; tries < 500; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr*)&address, sizeof address) == 0)
            return fd;
        close(fd);
        usleep(10000);
    }
    return -1;
}

int main(int argc, char** argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: drain SOCKET|- BYTES\n");
        return 2;
    }
    int fd = strcmp(argv[1], "-") == 0 ? STDIN_FILENO : connect_to(argv[1]);
    if (fd < 0) {
        fprintf(stderr, "drain: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    static char buffer[1 << 18];
    long long wanted = atoll(argv[2]), total = 0;
    double begin = 0, end = 0;
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0) {
        if (total == 0)
            begin = now_s();
        total += n;
        if (total >= wanted && end == 0)
            end = now_s();
    }
    if (end == 0)
        end = now_s();
    printf("%lld %.6f\n", total, end - begin);
    return total >= wanted ? 0 : 1;
}
