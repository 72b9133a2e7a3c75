// pidfd SOCKET: a --pidfd-socket receiver, as containerd's is. Listens on SOCKET, says "pid N" of the pidfd
// that comes, and "ended" when its process has. The exit status is 0, or 99 on errors; it waits two minutes
// at most: SIGALRM.

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char* what) {
    fprintf(stderr, "pidfd: %s: %s\n", what, strerror(errno));
    exit(99);
}

static int listen_at(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        die(path);
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) < 0 ||
        listen(listener, 1) < 0)
        die(path);
    return listener;
}

static int receive_fd(int connection) {
    char text[64];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {text, sizeof text};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    // Go's receivers take a message of no byte for the end (go-runc, and runc's utils.RecvFile).
    if (length <= 0)
        die("a message of at least one byte");
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        die("one descriptor");
    int fd = -1;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

// The kernel's word for what a pidfd is of, in this pid namespace.
static int pid_of(int pidfd) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    FILE* file = fopen(path, "re");
    if (!file)
        die(path);
    int pid = 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "Pid: %d", &pid) != 1)
        ;
    fclose(file);
    return pid;
}

int main(int argc, char** argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: pidfd SOCKET\n");
        return 99;
    }
    alarm(120);
    int listener = listen_at(argv[1]);
    int connection = accept(listener, NULL, NULL);
    if (connection < 0)
        die("accept");
    int pidfd = receive_fd(connection);
    printf("pid %d\n", pid_of(pidfd));
    fflush(stdout);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (poll(&ended, 1, -1) != 1 || !(ended.revents & POLLIN))
        die("poll");
    puts("ended");
    return 0;
}
