// The smallest init there is: says that it runs on the console, and then nothing more. See bare-boot.
#include <unistd.h>

int main(void) {
    static const char mark = '\n';
    (void)!write(STDOUT_FILENO, &mark, 1);
    for (;;)
        pause();
}
