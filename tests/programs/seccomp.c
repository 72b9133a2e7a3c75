// One system call, made the way that the argument says, for filters that a shell cannot meet: prints its
// errno.
//
//   seccomp int80     mkdir in the 32-bit convention of x86 (int 0x80), whatever the program is built for
//   seccomp x32       getpid in the x32 convention
//   seccomp trap      umask(6), with a handler for SIGSYS that says which call it was
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void on_sigsys(int signal, siginfo_t* info, void* context) {
    (void)signal;
    (void)context;
    // stdio is not for signal handlers, but there is no other thread.
    printf("SIGSYS of %s\n", info->si_syscall == SYS_umask ? "umask" : "another call");
    fflush(stdout);
    _exit(0);
}

int main(int argc, char** argv) {
    const char* way = argc > 1 ? argv[1] : "";
    if (strcmp(way, "int80") == 0) {
        // The path has to be below 4 GiB.
        char* path = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
        if (path == MAP_FAILED)
            return 2;
        strcpy(path, "/dev/shm/int80");
        long result = 39; // mkdir
        __asm__ volatile("int $0x80"
                         : "+a"(result)
                         : "b"(path), "c"(0700L)
                         : "memory", "r8", "r9", "r10", "r11");
        printf("errno %d\n", (int)-result);
        return 0;
    }
    if (strcmp(way, "x32") == 0) {
        long result = syscall(0x40000000L | SYS_getpid);
        printf("errno %d\n", result < 0 ? errno : 0);
        return 0;
    }
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    syscall(SYS_umask, 6);
    printf("no signal\n");
    return 1;
}
