// What runvm needs of systemd's manager: fake-systemd SOCKET LOG FOLDER...
// Listens on SOCKET as systemd does on /run/systemd/private, makes the cgroups of units below each FOLDER
// (mounts of cgroup hierarchies) and writes a line into LOG for each call and each property. Says "ready" on
// stdout.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

static const char* log_path;
static char** folders;
static uint32_t last_job;

static void say(const char* format, ...) {
    FILE* log = fopen(log_path, "ae");
    va_list arguments;
    va_start(arguments, format);
    vfprintf(log, format, arguments);
    va_end(arguments);
    fputc('\n', log);
    fclose(log);
}

static void check(int result, const char* what) {
    if (result >= 0)
        return;
    say("failed: %s: %s", what, strerror(-result));
    exit(1);
}

// "/a.slice/a-b.slice/UNIT".
static void path_of(const char* slice, const char* unit, char* path, size_t size) {
    size_t length = strlen(slice) - strlen(".slice");
    *path = '\0';
    for (size_t end = 1; end <= length; ++end)
        if (end == length || slice[end] == '-')
            snprintf(path + strlen(path), size - strlen(path), "/%.*s.slice", (int)end, slice);
    snprintf(path + strlen(path), size - strlen(path), "/%s", unit);
}

static void make_folders(const char* path) {
    char part[4096];
    for (size_t end = 1; end <= strlen(path); ++end)
        if (path[end] == '/' || path[end] == '\0') {
            snprintf(part, sizeof part, "%.*s", (int)end, path);
            mkdir(part, 0755);
        }
}

static int append_to(const char* path, uint32_t pid) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int result = fd < 0 || dprintf(fd, "%u", pid) < 0 ? -errno : 0;
    close(fd);
    return result;
}

// Where the units are: a file a unit, which holds its cgroup's path.
static void unit_file(const char* unit, char* path, size_t size) {
    snprintf(path, size, "%s.%s", log_path, unit);
}

static int finish_job(sd_bus_message* message, const char* unit) {
    sd_bus* bus = sd_bus_message_get_bus(message);
    char job[64];
    snprintf(job, sizeof job, "/org/freedesktop/systemd1/job/%u", ++last_job);
    check(sd_bus_reply_method_return(message, "o", job), "reply");
    // Another's job first: it must not be taken for ours.
    check(sd_bus_emit_signal(bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                             "JobRemoved", "uoss", 9999, "/org/freedesktop/systemd1/job/9999",
                             "other.service", "failed"),
          "signal");
    return sd_bus_emit_signal(bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                              "JobRemoved", "uoss", last_job, job, unit,
                              getenv("FAKE_SYSTEMD_RESULT") ? getenv("FAKE_SYSTEMD_RESULT") : "done");
}

struct read_unit {
    char slice[256];
    uint32_t pids[64];
    size_t pid_count;
};

static void read_variant(sd_bus_message* message, const char* name, struct read_unit* unit) {
    const char* contents;
    check(sd_bus_message_peek_type(message, NULL, &contents), "peek");
    check(sd_bus_message_enter_container(message, 'v', contents), "enter a variant");
    if (!strcmp(contents, "s")) {
        const char* text;
        check(sd_bus_message_read(message, "s", &text), "read");
        say("  %s=%s", name, text);
        if (!strcmp(name, "Slice"))
            snprintf(unit->slice, sizeof unit->slice, "%s", text);
    } else if (!strcmp(contents, "b")) {
        int value;
        check(sd_bus_message_read(message, "b", &value), "read");
        say("  %s=%s", name, value ? "yes" : "no");
    } else if (!strcmp(contents, "t")) {
        uint64_t value;
        check(sd_bus_message_read(message, "t", &value), "read");
        if (value == UINT64_MAX)
            say("  %s=infinity", name);
        else
            say("  %s=%llu", name, (unsigned long long)value);
    } else if (!strcmp(contents, "au")) {
        const uint32_t* values;
        size_t size;
        check(sd_bus_message_read_array(message, 'u', (const void**)&values, &size), "read");
        unit->pid_count = size / sizeof *values;
        memcpy(unit->pids, values, size);
        say("  %s: %zu", name, unit->pid_count);
    } else if (!strcmp(contents, "ay")) {
        const uint8_t* values;
        size_t size;
        check(sd_bus_message_read_array(message, 'y', (const void**)&values, &size), "read");
        say("  %s: %zu bytes, the first is %u", name, size, size ? values[0] : 0);
    } else {
        check(sd_bus_message_skip(message, contents), "skip");
        say("  %s: %s", name, contents);
    }
    check(sd_bus_message_exit_container(message), "leave a variant");
}

static void read_properties(sd_bus_message* message, struct read_unit* unit) {
    const char* name;
    check(sd_bus_message_enter_container(message, 'a', "(sv)"), "enter the properties");
    while (sd_bus_message_enter_container(message, 'r', "sv") > 0) {
        check(sd_bus_message_read(message, "s", &name), "read");
        read_variant(message, name, unit);
        check(sd_bus_message_exit_container(message), "leave a property");
    }
    check(sd_bus_message_exit_container(message), "leave the properties");
}

static int start_unit(sd_bus_message* message, void* data, sd_bus_error* error) {
    (void)data;
    struct read_unit unit = {.slice = "system.slice"};
    const char *name, *mode;
    char path[2048], file[4096];
    check(sd_bus_message_read(message, "ss", &name, &mode), "read");
    unit_file(name, file, sizeof file);
    if (access(file, F_OK) == 0) {
        say("start %s: exists", name);
        return sd_bus_error_set(error, "org.freedesktop.systemd1.UnitExists", "Unit was already loaded.");
    }
    say("start %s %s", name, mode);
    read_properties(message, &unit);
    path_of(unit.slice, name, path, sizeof path);
    FILE* record = fopen(file, "we");
    fputs(path, record);
    fclose(record);
    for (char** folder = folders; *folder; ++folder) {
        char cgroup[4096], procs[4200];
        snprintf(cgroup, sizeof cgroup, "%s%s", *folder, path);
        snprintf(procs, sizeof procs, "%s/cgroup.procs", cgroup);
        make_folders(cgroup);
        for (size_t i = 0; i < unit.pid_count; ++i)
            check(append_to(procs, unit.pids[i]), procs);
    }
    return finish_job(message, name);
}

static int stop_unit(sd_bus_message* message, void* data, sd_bus_error* error) {
    (void)data;
    const char *name, *mode;
    char path[2048] = "", file[4096];
    check(sd_bus_message_read(message, "ss", &name, &mode), "read");
    unit_file(name, file, sizeof file);
    FILE* record = fopen(file, "re");
    say("stop %s%s", name, record ? "" : ": none");
    if (!record)
        return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", name);
    check(fgets(path, sizeof path, record) ? 0 : -EIO, "read the record");
    fclose(record);
    unlink(file);
    for (char** folder = folders; *folder; ++folder) {
        char cgroup[4096];
        snprintf(cgroup, sizeof cgroup, "%s%s", *folder, path);
        rmdir(cgroup);
    }
    return finish_job(message, name);
}

static int set_properties(sd_bus_message* message, void* data, sd_bus_error* error) {
    (void)data;
    struct read_unit unit = {0};
    const char* name;
    int runtime;
    char file[4096];
    check(sd_bus_message_read(message, "sb", &name, &runtime), "read");
    unit_file(name, file, sizeof file);
    say("set %s%s", name, runtime ? " runtime" : "");
    if (access(file, F_OK) != 0)
        return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", name);
    read_properties(message, &unit);
    return sd_bus_reply_method_return(message, "");
}

static int reset_failed(sd_bus_message* message, void* data, sd_bus_error* error) {
    (void)data;
    const char* name;
    char file[4096];
    check(sd_bus_message_read(message, "s", &name), "read");
    unit_file(name, file, sizeof file);
    struct stat info;
    say("reset %s", name);
    // An empty record is of a unit that failed.
    if (stat(file, &info) == 0 && info.st_size == 0)
        unlink(file);
    else if (access(file, F_OK) != 0)
        return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit", "Unit %s not loaded.", name);
    return sd_bus_reply_method_return(message, "");
}

static int subscribe(sd_bus_message* message, void* data, sd_bus_error* error) {
    (void)data;
    (void)error;
    return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Subscribe", "", "", subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", start_unit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StopUnit", "ss", "o", stop_unit, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ResetFailedUnit", "s", "", reset_failed, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUnitProperties", "sba(sv)", "", set_properties, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
    SD_BUS_VTABLE_END};

static void serve(int fd) {
    sd_bus* bus = NULL;
    sd_id128_t id;
    check(sd_id128_randomize(&id), "make an id");
    check(sd_bus_new(&bus), "make a bus");
    check(sd_bus_set_fd(bus, fd, fd), "set its descriptor");
    check(sd_bus_set_server(bus, 1, id), "make it a server");
    check(sd_bus_start(bus), "start it");
    check(sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager",
                                   vtable, NULL),
          "add the manager");
    for (;;) {
        int result = sd_bus_process(bus, NULL);
        if (result < 0)
            break; // the caller has left
        if (result == 0 && sd_bus_wait(bus, UINT64_MAX) < 0)
            break;
    }
    sd_bus_unref(bus);
}

int main(int argc, char** argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc < 4)
        return 2;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    log_path = argv[2];
    folders = argv + 3;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0) {
        perror(argv[1]);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            serve(fd); // one after the other: each is short
    }
}
