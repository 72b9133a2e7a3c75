// subreaper PID_FILE REPORT COMMAND...
//
// What conmon and containerd's shim are to a runtime: becomes a subreaper, runs COMMAND, and then waits for
// the process whose pid COMMAND left in PID_FILE. REPORT gets "exited N" or "signaled N". If COMMAND fails
// its exit status is returned and REPORT gets "command failed N"; 98 if that process is no child, 99 on other
// errors. It waits two minutes at most: SIGALRM.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char* what) {
    fprintf(stderr, "subreaper: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void report(const char* path, const char* how, int value) {
    FILE* file = fopen(path, "we");
    if (!file)
        die(path);
    fprintf(file, "%s %d\n", how, value);
    fclose(file);
}

static pid_t read_pid(const char* path) {
    FILE* file = fopen(path, "re");
    int pid = 0;
    if (!file)
        die(path);
    if (fscanf(file, "%d", &pid) != 1)
        die(path);
    fclose(file);
    return pid;
}

int main(int argc, char** argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: subreaper PID_FILE REPORT COMMAND...\n");
        return 99;
    }
    alarm(120);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        die("PR_SET_CHILD_SUBREAPER");
    pid_t command = fork();
    if (command < 0)
        die("fork");
    if (command == 0) {
        execvp(argv[3], argv + 3);
        die(argv[3]);
    }
    int status = 0;
    if (waitpid(command, &status, 0) < 0)
        die("waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        report(argv[2], "command failed", code);
        return code;
    }
    pid_t wanted = read_pid(argv[1]);
    for (;;) {
        pid_t ended = waitpid(-1, &status, 0);
        if (ended < 0 && errno == ECHILD) {
            report(argv[2], "no child", wanted);
            return 98;
        }
        if (ended != wanted)
            continue;
        if (WIFEXITED(status))
            report(argv[2], "exited", WEXITSTATUS(status));
        else
            report(argv[2], "signaled", WTERMSIG(status));
        return 0;
    }
}
