// read-ahead
//
// Reads a place in the middle of its own file, prints "ready", and at SIGTERM reads on within what the kernel
// has read already, up to the page that makes it ask for the next ones, and exits with 3 at once. So the
// process ends while a read of its file is on its way, and has nothing else to wait for.

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { page = 4096, length = 1 << 20, middle = length / 2, half_window = 16 * page };

static const volatile char contents[length] __attribute__((aligned(page))) = {1};

static void read_on(int signal) {
    (void)signal;
    for (int at = middle; at < middle + half_window; at += page)
        (void)contents[at];
    _exit(3);
}

int main(void) {
    (void)contents[middle];
    signal(SIGTERM, read_on);
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}
