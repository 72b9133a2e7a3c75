// runvm-agent: pid 1 of the guest.

#include "agent/session.h"

#include <unistd.h>

#include <cstdio>

int main() {
    // It would mount over and power off the machine that it is started on.
    if (::getpid() != 1) {
        std::fputs("runvm-agent: this is the guest's pid 1; it does not run elsewhere\n", stderr);
        return 1;
    }
    runvm::agent::run_agent();
}
