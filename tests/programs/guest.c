// An init in the agent's place, for tests and measurements. Static; the first instruction counts. What it
// does is said by the variable `guest` of its environment, which is a word of the kernel's command line:
//
//   guest=exit      ends QEMU through its isa-debug-exit device (port 0x501): a boot, timed
//   guest=sleep     says a line on the console and never answers
//   guest=babble    sends random bytes to every virtio port and then nothing
//   guest=flood     sends random bytes to every virtio port without end
//   guest=echo      sends back whatever arrives
//   guest=write-N   sends N MiB to the first virtio port and powers off

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { max_ports = 16, block_size = 65536 };

static int ports[max_ports];
static int port_count = 0;
static unsigned char block[block_size];

static void say(const char* text) {
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    if (console < 0)
        return;
    dprintf(console, "%s\n", text);
    close(console);
}

static void stay(void) {
    for (;;)
        pause();
}

// The image's list of modules, as the agent reads it.
static void load_modules(void) {
    char path[512];
    FILE* list = fopen("/etc/runvm/modules", "re");
    while (list && fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = 0;
        int module = open(path, O_RDONLY | O_CLOEXEC);
        if (module < 0)
            continue;
        syscall(SYS_finit_module, module, "", 0);
        close(module);
    }
    if (list)
        fclose(list);
}

static void open_ports(void) {
    mkdir("/dev", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    load_modules();
    // The driver makes the nodes some time after it was loaded.
    for (int tries = 0; tries < 100 && port_count == 0; tries++) {
        usleep(20000);
        for (int device = 0; device < 4; device++) {
            for (int port = 0; port < 8 && port_count < max_ports; port++) {
                char path[64];
                snprintf(path, sizeof path, "/dev/vport%dp%d", device, port);
                int fd = open(path, O_RDWR | O_CLOEXEC);
                if (fd >= 0)
                    ports[port_count++] = fd;
            }
        }
    }
    if (port_count == 0)
        say("guest: no virtio port");
}

static void fill(void) {
    static unsigned long long state = 88172645463325252ULL;
    for (size_t i = 0; i < sizeof block; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block[i] = (unsigned char)state;
    }
}

static void flood(int once) {
    do {
        fill();
        for (int i = 0; i < port_count; i++) {
            if (write(ports[i], block, sizeof block) < 0)
                usleep(10000);
        }
    } while (!once);
}

static void echo(void) {
    struct pollfd poll_fds[max_ports];
    for (;;) {
        for (int i = 0; i < port_count; i++)
            poll_fds[i] = (struct pollfd){.fd = ports[i], .events = POLLIN};
        poll(poll_fds, (nfds_t)port_count, -1);
        for (int i = 0; i < port_count; i++) {
            if (!(poll_fds[i].revents & POLLIN))
                continue;
            ssize_t n = read(ports[i], block, sizeof block);
            if (n > 0 && write(ports[i], block, (size_t)n) < 0)
                usleep(10000);
        }
        // A port without a host is always ready (POLLHUP).
        usleep(1000);
    }
}

static void write_mib(long mib) {
    for (long done = 0; port_count > 0 && done < mib << 20;) {
        ssize_t n = write(ports[0], block, sizeof block);
        if (n < 0) {
            usleep(1000);
            continue;
        }
        done += n;
    }
    sync();
    reboot(RB_POWER_OFF);
}

int main(void) {
    const char* what = getenv("guest");
    if (!what || strcmp(what, "exit") == 0) {
        if (iopl(3) == 0)
            outb(0, 0x501);
        say("guest: isa-debug-exit is missing");
        stay();
    }
    signal(SIGPIPE, SIG_IGN);
    open_ports();
    if (strcmp(what, "sleep") == 0)
        say("guest: this init never answers");
    if (strcmp(what, "babble") == 0)
        flood(1);
    if (strcmp(what, "flood") == 0)
        flood(0);
    if (strcmp(what, "echo") == 0)
        echo();
    if (strncmp(what, "write-", 6) == 0)
        write_mib(atol(what + 6));
    stay();
}
