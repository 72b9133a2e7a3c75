// idmap PATH: can what is mounted at PATH be id-mapped? Exit status 0; 1 if the kernel says that it cannot be
// (EINVAL: its file system is not able to; EPERM: a user namespace has mounted it, or it is id-mapped
// already; ENOSYS: Linux before 5.12); 2 if the question has failed.

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_of(pid_t pid, const char* file, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return open(path, flags | O_CLOEXEC);
}

static int write_map(pid_t pid, const char* file) {
    static const char map[] = "0 100000 1\n";
    int fd = open_of(pid, file, O_WRONLY);
    int written = fd >= 0 && write(fd, map, sizeof map - 1) > 0;
    close(fd);
    return written;
}

static int failed(const char* what) {
    fprintf(stderr, "idmap: %s: %s\n", what, strerror(errno));
    return 2;
}

// Asks with the user namespace of the process `holder`.
static int ask(pid_t holder, const char* path) {
    if (!write_map(holder, "uid_map") || !write_map(holder, "gid_map"))
        return failed("the maps of a user namespace");
    int user_namespace = open_of(holder, "ns/user", O_RDONLY);
    if (user_namespace < 0)
        return failed("a user namespace");
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        return failed(path);
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
        return 0;
    return errno == EINVAL || errno == EPERM || errno == ENOSYS ? 1 : failed("mount_setattr");
}

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    int ends[2];
    if (pipe(ends) != 0)
        return failed("pipe");
    pid_t holder = fork();
    if (holder < 0)
        return failed("fork");
    if (holder == 0) {
        char made = (char)(unshare(CLONE_NEWUSER) == 0);
        if (write(ends[1], &made, 1) == 1)
            pause();
        _exit(0);
    }
    char made = 0;
    int answer = read(ends[0], &made, 1) == 1 && made ? ask(holder, argv[1]) : failed("unshare");
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    return answer;
}
