// socketfd FD COMMAND...
//
// Runs COMMAND with one end of a socket pair as descriptor FD. Standard input is sent to the other end, which
// is then shut down for writing; what comes from it goes to standard output, which COMMAND does not get (its
// own is standard error's). The exit status is COMMAND's.

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void copy(int from, int to) {
    char buffer[65536];
    ssize_t n;
    while ((n = read(from, buffer, sizeof buffer)) > 0) {
        for (ssize_t done = 0; done < n;) {
            ssize_t written = write(to, buffer + done, (size_t)(n - done));
            if (written < 0)
                return;
            done += written;
        }
    }
}

int main(int argc, char** argv) {
    int ends[2];
    if (argc < 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) {
        perror("socketfd FD COMMAND...");
        return 99;
    }
    pid_t command = fork();
    if (command == 0) {
        int fd = atoi(argv[1]);
        close(ends[0]);
        dup2(2, 1);
        if (ends[1] != fd) {
            dup2(ends[1], fd);
            close(ends[1]);
        }
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(99);
    }
    close(ends[1]);
    pid_t sender = fork();
    if (sender == 0) {
        copy(STDIN_FILENO, ends[0]);
        shutdown(ends[0], SHUT_WR);
        _exit(0);
    }
    copy(ends[0], STDOUT_FILENO);
    int status = 0;
    waitpid(sender, NULL, 0);
    if (command < 0 || waitpid(command, &status, 0) < 0)
        return 99;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
