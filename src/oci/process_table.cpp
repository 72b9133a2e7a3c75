#include "oci/process_table.h"

#include "core/utf8.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <optional>
#include <sstream>

namespace runvm::oci {

namespace {

using Info = protocol::ProcessInfo::Reader;

constexpr uint64_t ms_per_s = 1000;
constexpr uint64_t s_per_minute = 60;
constexpr uint64_t s_per_hour = 60 * s_per_minute;
constexpr uint64_t s_per_day = 24 * s_per_hour;
constexpr int64_t ns_per_ms = 1'000'000;
constexpr int64_t ns_per_s = 1'000'000'000;
constexpr uint64_t bytes_per_kib = 1024;
constexpr uint32_t first_pts_major = 136; // include/uapi/linux/major.h
constexpr uint32_t last_pts_major = 143;

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), pattern, arguments...);
    return text.data();
}

std::string one_line(capnp::Text::Reader guest_text) {
    std::string text = printable_text({guest_text.begin(), guest_text.size()});
    std::replace(text.begin(), text.end(), '\n', '?');
    return text;
}

// Of the guest, whose names nobody here knows.
std::string user_name(uint32_t id) {
    return id == 0 ? "root" : std::to_string(id);
}

std::string terminal_name(uint32_t device) {
    uint32_t major = device >> 8U & 0xfffU; // new_encode_dev, include/linux/kdev_t.h
    uint32_t minor = (device & 0xffU) | (device >> 12U & 0xfff00U);
    if (major >= first_pts_major && major <= last_pts_major)
        return "pts/" + std::to_string(minor + ((major - first_pts_major) << 8U));
    return device == 0 ? "?" : std::to_string(major) + ":" + std::to_string(minor);
}

std::string state_letters(Info process) {
    char letter = static_cast<char>(process.getState());
    std::string text(1, (letter >= 'A' && letter <= 'Z') || letter == 't' ? letter : '?');
    if (process.getNice() != 0)
        text += process.getNice() < 0 ? '<' : 'N';
    if (process.getIsSessionLeader())
        text += 's';
    if (process.getThreads() > 1)
        text += 'l';
    if (process.getIsForeground())
        text += '+';
    return text;
}

std::string command(Info process) {
    if (process.getCommandLine().size() == 0)
        return "[" + one_line(process.getName()) + "]";
    return one_line(process.getCommandLine());
}

// "[[DD-]HH:]MM:SS"
std::string elapsed(uint64_t ms) {
    uint64_t s = ms / ms_per_s;
    std::string text = format("%02u:%02u", static_cast<unsigned>(s % s_per_hour / s_per_minute),
                              static_cast<unsigned>(s % s_per_minute));
    if (s < s_per_hour)
        return text;
    text = format("%02u:", static_cast<unsigned>(s % s_per_day / s_per_hour)) + text;
    return s < s_per_day ? text : format("%llu-", static_cast<unsigned long long>(s / s_per_day)) + text;
}

// "[DD-]HH:MM:SS"
std::string cpu_time(Info process) {
    uint64_t s = process.getCpuMs() / ms_per_s;
    std::string days = s < s_per_day ? "" : format("%llu-", static_cast<unsigned long long>(s / s_per_day));
    return days + format("%02u:%02u:%02u", static_cast<unsigned>(s % s_per_day / s_per_hour),
                         static_cast<unsigned>(s % s_per_hour / s_per_minute),
                         static_cast<unsigned>(s % s_per_minute));
}

// "M:SS"
std::string bsd_cpu_time(Info process) {
    uint64_t s = process.getCpuMs() / ms_per_s;
    return format("%llu:%02u", static_cast<unsigned long long>(s / s_per_minute),
                  static_cast<unsigned>(s % s_per_minute));
}

double percent_of(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

double cpu_percent(Info process) {
    return percent_of(process.getCpuMs(), process.getAgeMs());
}

// "HH:MM" of today, "MmmDD" of this year, else the year.
std::string start_time(Info process, int64_t now_ns) {
    std::time_t now = now_ns / ns_per_s;
    uint64_t age_ms = std::min<uint64_t>(process.getAgeMs(), static_cast<uint64_t>(now_ns / ns_per_ms));
    std::time_t started = (now_ns - static_cast<int64_t>(age_ms) * ns_per_ms) / ns_per_s;
    std::tm today{};
    std::tm day{};
    ::localtime_r(&now, &today);
    ::localtime_r(&started, &day);
    const char* pattern = today.tm_year != day.tm_year   ? "%Y"
                          : today.tm_yday != day.tm_yday ? "%b%d"
                                                         : "%H:%M";
    std::array<char, 16> text{};
    std::strftime(text.data(), text.size(), pattern, &day);
    return text.data();
}

struct Column {
    const char* names; ///< separated by spaces
    const char* header;
    bool is_number; ///< on the right of its column
    std::string (*value)(Info process, const GuestProcesses& all);
};

const Column columns[] = {
    {"pid", "PID", true, [](Info p, const GuestProcesses&) { return std::to_string(p.getPid()); }},
    {"ppid", "PPID", true, [](Info p, const GuestProcesses&) { return std::to_string(p.getParentPid()); }},
    {"pgid pgrp", "PGID", true, [](Info p, const GuestProcesses&) { return std::to_string(p.getGroupId()); }},
    {"sid sess session", "SID", true,
     [](Info p, const GuestProcesses&) { return std::to_string(p.getSessionId()); }},
    {"uid euid", "UID", true, [](Info p, const GuestProcesses&) { return std::to_string(p.getUid()); }},
    {"gid egid", "GID", true, [](Info p, const GuestProcesses&) { return std::to_string(p.getGid()); }},
    {"user euser uname", "USER", false, [](Info p, const GuestProcesses&) { return user_name(p.getUid()); }},
    {"group egroup", "GROUP", false, [](Info p, const GuestProcesses&) { return user_name(p.getGid()); }},
    {"stat", "STAT", false, [](Info p, const GuestProcesses&) { return state_letters(p); }},
    {"s state", "S", false, [](Info p, const GuestProcesses&) { return state_letters(p).substr(0, 1); }},
    {"ni nice", "NI", true, [](Info p, const GuestProcesses&) { return std::to_string(p.getNice()); }},
    {"nlwp thcount", "NLWP", true,
     [](Info p, const GuestProcesses&) { return std::to_string(p.getThreads()); }},
    {"tty tt tname", "TTY", false,
     [](Info p, const GuestProcesses&) { return terminal_name(p.getTerminal()); }},
    {"c", "C", true,
     [](Info p, const GuestProcesses&) { return std::to_string(static_cast<unsigned>(cpu_percent(p))); }},
    {"pcpu %cpu", "%CPU", true, [](Info p, const GuestProcesses&) { return format("%.1f", cpu_percent(p)); }},
    {"pmem %mem", "%MEM", true,
     [](Info p, const GuestProcesses& all) {
         return format("%.1f", percent_of(p.getResidentBytes(), all.memory_bytes));
     }},
    {"vsz vsize", "VSZ", true,
     [](Info p, const GuestProcesses&) { return std::to_string(p.getVirtualBytes() / bytes_per_kib); }},
    {"rss rssize rsz", "RSS", true,
     [](Info p, const GuestProcesses&) { return std::to_string(p.getResidentBytes() / bytes_per_kib); }},
    {"stime start start_time", "STIME", false,
     [](Info p, const GuestProcesses& all) { return start_time(p, all.now_ns); }},
    {"etime", "ELAPSED", true, [](Info p, const GuestProcesses&) { return elapsed(p.getAgeMs()); }},
    {"etimes", "ELAPSED", true,
     [](Info p, const GuestProcesses&) { return std::to_string(p.getAgeMs() / ms_per_s); }},
    {"time cputime", "TIME", true, [](Info p, const GuestProcesses&) { return cpu_time(p); }},
    {"bsdtime", "TIME", true, [](Info p, const GuestProcesses&) { return bsd_cpu_time(p); }},
    {"comm ucmd ucomm", "COMMAND", false,
     [](Info p, const GuestProcesses&) { return one_line(p.getName()); }},
    {"args command", "COMMAND", false, [](Info p, const GuestProcesses&) { return command(p); }},
    {"cmd", "CMD", false, [](Info p, const GuestProcesses&) { return command(p); }},
};

bool has_name(const Column& column, const std::string& name) {
    std::istringstream names(column.names);
    for (std::string one; names >> one;)
        if (one == name)
            return true;
    return false;
}

struct Chosen {
    const Column* column;
    std::string header;
};
using Choice = std::vector<Chosen>;

// What stands after -o: names separated by commas or spaces; the last may have "=HEADER".
Result<void> choose(const std::string& list, Choice& choice) {
    size_t begin = 0;
    while (begin < list.size()) {
        size_t end = std::min(list.find_first_of(", ", begin), list.size());
        std::string name = list.substr(begin, end - begin);
        std::optional<std::string> header;
        if (size_t equals = name.find('='); equals != std::string::npos) {
            header = list.substr(begin + equals + 1); // procps: to the end of the word
            name.resize(equals);
            end = list.size();
        }
        const auto* column = std::find_if(std::begin(columns), std::end(columns),
                                          [&](const Column& one) { return has_name(one, name); });
        if (column == std::end(columns))
            return Error(ErrorKind::invalid_argument,
                         "ps column `" + name + "` is not known; allowed are " + process_columns());
        choice.push_back({column, header.value_or(column->header)});
        begin = end + 1;
    }
    return {};
}

Choice full_format() {
    Choice choice;
    (void)choose("user=UID", choice);
    (void)choose("pid,ppid,c,stime,tty,time,cmd", choice);
    return choice;
}

Choice bsd_format() {
    Choice choice;
    (void)choose("user,pid,pcpu,pmem,vsz,rss,tty,stat", choice);
    (void)choose("start=START", choice);
    (void)choose("bsdtime,args", choice);
    return choice;
}

bool is_one_of(const std::string& word, std::initializer_list<const char*> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

Result<Choice> read_options(const std::vector<std::string>& options) {
    Choice choice;
    Choice format = full_format();
    for (size_t i = 0; i < options.size(); ++i) {
        const std::string& word = options[i];
        if (is_one_of(word, {"-e", "-A", "-f", "-ef", "-fe", "-Af", "-ww", "ww"})) {
            continue; // all of the container's processes in full are shown anyway
        } else if (is_one_of(word, {"aux", "-aux", "auxww", "axu"})) {
            format = bsd_format();
        } else if (is_one_of(word, {"-o", "o", "-eo", "-Ao", "--format"}) && i + 1 < options.size()) {
            RUNVM_TRY(choose(options[++i], choice));
        } else if (word.starts_with("-o") && word.size() > 2) {
            RUNVM_TRY(choose(word.substr(2), choice));
        } else {
            return Error(ErrorKind::invalid_argument,
                         "ps option `" + word +
                             "` is not known; allowed are -ef, aux and -o with a list of " +
                             process_columns());
        }
    }
    return choice.empty() ? format : choice;
}

std::string padded(const std::string& text, size_t width, bool right) {
    std::string space(width - std::min(width, text.size()), ' ');
    return right ? space + text : text + space;
}

} // namespace

std::string process_columns() {
    std::string list;
    for (const Column& column : columns) {
        std::string names = column.names;
        std::replace(names.begin(), names.end(), ' ', ',');
        list += (list.empty() ? "" : ",") + names;
    }
    return list;
}

Result<std::string> process_table(const GuestProcesses& processes, const std::vector<std::string>& options) {
    RUNVM_ASSIGN(Choice choice, read_options(options));
    std::vector<std::vector<std::string>> rows(1);
    for (const Chosen& chosen : choice)
        rows[0].push_back(chosen.header);
    for (Info process : processes.list) {
        rows.emplace_back();
        for (const Chosen& chosen : choice)
            rows.back().push_back(chosen.column->value(process, processes));
    }
    std::string table;
    std::vector<size_t> widths(choice.size());
    for (const auto& row : rows)
        for (size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    for (const auto& row : rows) {
        std::string line;
        for (size_t i = 0; i < row.size(); ++i) {
            bool is_last = i + 1 == row.size();
            bool right = choice[i].column->is_number;
            line += is_last && !right ? row[i] : padded(row[i], widths[i], right);
            line += is_last ? "\n" : " ";
        }
        table += line;
    }
    return table;
}

} // namespace runvm::oci
