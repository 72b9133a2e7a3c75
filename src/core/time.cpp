#include "core/time.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace runvm {

int64_t now_ns() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

std::string format_time(int64_t ns_since_epoch) {
    constexpr int64_t ns_per_second = 1'000'000'000;
    int64_t ns = ns_since_epoch % ns_per_second;
    if (ns < 0)
        ns += ns_per_second;
    std::time_t seconds = (ns_since_epoch - ns) / ns_per_second;
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 40> buffer{};
    std::string text(buffer.data(), std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S", &utc));
    if (ns != 0) {
        std::snprintf(buffer.data(), buffer.size(), ".%09lld", static_cast<long long>(ns));
        text += buffer.data();
        text.erase(text.find_last_not_of('0') + 1);
    }
    return text + "Z";
}

} // namespace runvm
