// watch FILE...: a line for everything that inotify tells of them: what it is, the file, and the entry if it
// is a folder's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static const struct {
    unsigned mask;
    const char* name;
} kinds[] = {
    {IN_CREATE, "create"},       {IN_MODIFY, "modify"},         {IN_ATTRIB, "attrib"},
    {IN_CLOSE_WRITE, "written"}, {IN_MOVED_FROM, "moved-from"}, {IN_MOVED_TO, "moved-to"},
    {IN_DELETE, "delete"},       {IN_MOVE_SELF, "moved"},       {IN_DELETE_SELF, "deleted"},
    {IN_Q_OVERFLOW, "overflow"},
};

int main(int count, char** files) {
    int watches = inotify_init1(IN_CLOEXEC);
    for (int i = 1; i < count; i++)
        if (inotify_add_watch(watches, files[i], IN_ALL_EVENTS) != i) { // the first watch is 1, and so on
            perror(files[i]);
            return 1;
        }
    puts("watching");
    fflush(stdout);
    char buffer[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size;
    while ((size = read(watches, buffer, sizeof buffer)) > 0) {
        for (char* at = buffer; at < buffer + size;) {
            const struct inotify_event* event = (const struct inotify_event*)at;
            for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (event->mask & kinds[i].mask)
                    printf("%s %s%s%s\n", kinds[i].name, event->wd > 0 ? files[event->wd] : "-",
                           event->len > 0 ? " " : "", event->len > 0 ? event->name : "");
            at += sizeof *event + event->len;
        }
        fflush(stdout);
    }
    return 1;
}
