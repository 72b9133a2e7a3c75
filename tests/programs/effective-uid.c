// effective-uid: prints the effective user id, which a set-uid bit of its file decides. A shell cannot tell:
// busybox's drops the rights again.

#include <stdio.h>
#include <unistd.h>

int main(void) {
    printf("%u\n", (unsigned)geteuid());
    return 0;
}
