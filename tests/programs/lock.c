// lock FILE try: says whether it is free (flock(2)). lock FILE hold: takes it, says so, and keeps it for
// ever.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int main(int count, char** arguments) {
    int file = count == 3 ? open(arguments[1], O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return 1;
    if (flock(file, LOCK_EX | LOCK_NB) == 0)
        puts("free");
    else
        puts(errno == EWOULDBLOCK ? "taken" : strerror(errno));
    fflush(stdout);
    if (strcmp(arguments[2], "hold") == 0)
        pause();
    return 0;
}
