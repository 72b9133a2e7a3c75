// terminal run COMMAND...         runs COMMAND on a new terminal
// terminal receive SOCKET         listens on SOCKET for a terminal's master, as a --console-socket receiver
// does
//
// and plays the script on standard input, a line each:
//   expect TEXT      waits until TEXT appears in the output, after what earlier lines matched
//   send TEXT        types TEXT
//                    in both \n, \r, \t, \\ and \xHH are understood
//   size ROWS COLS   resizes the terminal
//   size ROWS COLS until TEXT
//                    resizes it again every second, as expect does: who is to hear of it may not listen yet
//   hangup           closes the master
// Then it reads to the end of output. All output goes to standard output. The exit status is COMMAND's (128+n
// for a signal), or 0; 99 if an expected text did not come or on other errors.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { patience_s = 60, output_size = 1 << 20 };

static int master = -1;
static char output[output_size + 1];
static size_t length = 0;  // of output
static size_t matched = 0; // what expect has gone past

static void die(const char* what) {
    fprintf(stderr, "terminal: %s: %s\n", what, strerror(errno));
    exit(99);
}

// Reads once; 0 at the end of output or after patience.
static int read_more(time_t deadline) {
    struct pollfd poll_fd = {.fd = master, .events = POLLIN};
    int left_ms = (int)(deadline - time(NULL)) * 1000;
    if (left_ms <= 0 || poll(&poll_fd, 1, left_ms) <= 0)
        return 0;
    if (length == output_size) {
        fprintf(stderr, "terminal: more output than %d bytes\n", output_size);
        exit(99);
    }
    ssize_t n = read(master, output + length, output_size - length);
    if (n <= 0)
        return 0; // EIO: nobody holds the slave any more
    if (write(STDOUT_FILENO, output + length, (size_t)n) < 0)
        die("write");
    length += (size_t)n;
    return 1;
}

// Reads until the text is there; 0 if it is not by the deadline.
static int find(const char* text, time_t deadline) {
    for (;;) {
        char* found = memmem(output + matched, length - matched, text, strlen(text));
        if (found) {
            matched = (size_t)(found - output) + strlen(text);
            return 1;
        }
        if (!read_more(deadline))
            return 0;
    }
}

static void miss(const char* text) {
    fprintf(stderr, "terminal: expected \"%s\" after: %.*s\n", text, (int)(length - matched),
            output + matched);
    exit(99);
}

static void expect(const char* text) {
    if (!find(text, time(NULL) + patience_s))
        miss(text);
}

static void resize(struct winsize size) {
    if (ioctl(master, TIOCSWINSZ, &size) < 0)
        die("TIOCSWINSZ");
}

static void resize_until(struct winsize size, const char* text) {
    for (int i = 0; i < patience_s; i += 2) {
        resize(size);
        if (find(text, time(NULL) + 2))
            return;
        struct winsize other = {.ws_row = size.ws_row, .ws_col = (unsigned short)(size.ws_col + 1)};
        resize(other); // the same size again is no change
    }
    miss(text);
}

// In place; the result may be followed by what is left of the text.
static size_t unescape(char* text) {
    size_t size = 0;
    for (const char* c = text; *c; c++) {
        char byte = *c;
        if (byte == '\\' && c[1]) {
            c++;
            unsigned value = 0;
            switch (*c) {
            case 'n':
                byte = '\n';
                break;
            case 'r':
                byte = '\r';
                break;
            case 't':
                byte = '\t';
                break;
            case 'x':
                if (sscanf(c + 1, "%2x", &value) != 1)
                    die(text);
                byte = (char)value;
                c += 2;
                break;
            default:
                byte = *c;
            }
        }
        text[size++] = byte;
    }
    return size;
}

static void type(char* text) {
    size_t size = unescape(text);
    for (size_t i = 0; i < size; i++)
        if (write(master, text + i, 1) != 1)
            die("write to the terminal");
}

static void play(FILE* script) {
    char line[4096];
    while (fgets(line, sizeof line, script)) {
        line[strcspn(line, "\n")] = 0;
        struct winsize size = {0};
        int until = 0;
        if (strncmp(line, "expect ", 7) == 0) {
            line[7 + unescape(line + 7)] = 0;
            expect(line + 7);
        } else if (strncmp(line, "send ", 5) == 0) {
            type(line + 5);
        } else if (sscanf(line, "size %hu %hu until %n", &size.ws_row, &size.ws_col, &until) == 2) {
            if (until > 0)
                resize_until(size, line + until);
            else
                resize(size);
        } else if (strcmp(line, "hangup") == 0) {
            close(master);
            master = -1;
        } else if (line[0]) {
            fprintf(stderr, "terminal: unknown line: %s\n", line);
            exit(99);
        }
    }
    while (master >= 0 && read_more(time(NULL) + patience_s)) {
    }
}

static pid_t run(char** command) {
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        die("posix_openpt");
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    resize(size);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child > 0)
        return child;
    setsid();
    int slave = open(ptsname(master), O_RDWR);
    if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
        die("open the terminal");
    dup2(slave, 0);
    dup2(slave, 1);
    dup2(slave, 2);
    if (slave > 2)
        close(slave);
    execvp(command[0], command);
    die(command[0]);
    return -1;
}

// runc's console-socket protocol: one message with one descriptor and the terminal's name.
static void receive(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        die("the socket's path is too long");
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) < 0 ||
        listen(listener, 1) < 0)
        die(path);
    alarm(patience_s * 2);
    int connection = accept(listener, NULL, NULL);
    if (connection < 0)
        die("accept");
    char name[4096];
    struct iovec part = {.iov_base = name, .iov_len = sizeof name};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * 4)];
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (n < 1)
        die("the message with the terminal has no byte of a name");
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        die("the message must hold one descriptor");
    memcpy(&master, CMSG_DATA(header), sizeof master);
    alarm(0);
    if (!isatty(master))
        die("what was received is no terminal");
    close(connection);
    close(listener);
}

int main(int argc, char** argv) {
    pid_t child = 0;
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 3 && strcmp(argv[1], "run") == 0) {
        child = run(argv + 2);
    } else if (argc == 3 && strcmp(argv[1], "receive") == 0) {
        receive(argv[2]);
    } else {
        fprintf(stderr, "usage: terminal run COMMAND... | receive SOCKET\n");
        return 99;
    }
    play(stdin);
    if (child == 0)
        return 0;
    int status = 0;
    if (waitpid(child, &status, 0) < 0)
        die("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
