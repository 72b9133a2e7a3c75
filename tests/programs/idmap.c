// idmap PATH: can what is mounted at PATH be id-mapped? Exit status 0 or 1.

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

static void write_map(pid_t pid, const char* file) {
    static const char map[] = "0 100000 1\n";
    int fd = open_of(pid, file, O_WRONLY);
    if (write(fd, map, sizeof map - 1) < 0)
        perror(file);
    close(fd);
}

int main(int argc, char** argv) {
    if (argc != 2)
        return 2;
    int ends[2];
    if (pipe(ends) != 0)
        return 2;
    pid_t holder = fork();
    if (holder == 0) {
        char made = (char)(unshare(CLONE_NEWUSER) == 0);
        if (write(ends[1], &made, 1) == 1)
            pause();
        _exit(0);
    }
    char made = 0;
    if (read(ends[0], &made, 1) != 1 || !made)
        return 2;
    write_map(holder, "uid_map");
    write_map(holder, "gid_map");
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP,
                                    .userns_fd = (uint64_t)open_of(holder, "ns/user", O_RDONLY)};
    long tree = syscall(SYS_open_tree, AT_FDCWD, argv[1], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    long result = syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    return result == 0 ? 0 : 1;
}
