#include "oci/process.h"

#include "oci/capabilities.h"
#include "oci/texts.h"

#include <linux/ioprio.h>
#include <linux/sched.h>
#include <sys/resource.h>

#include <map>
#include <set>

namespace runvm::oci {

namespace {

constexpr uint64_t max_id = UINT32_MAX - 1; // 2^32-1 is "no id" to the kernel

struct Name {
    const char* name;
    uint32_t number;
};

constexpr Name rlimit_names[] = {
    {"RLIMIT_AS", RLIMIT_AS},
    {"RLIMIT_CORE", RLIMIT_CORE},
    {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},
    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
    {"RLIMIT_LOCKS", 10}, // gone from glibc's headers
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
    {"RLIMIT_NPROC", RLIMIT_NPROC},
    {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK},
};

constexpr Name io_class_names[] = {
    {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
    {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
    {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};

constexpr uint32_t sched_other = 0;
constexpr uint32_t sched_fifo = 1;
constexpr uint32_t sched_rr = 2;
constexpr uint32_t sched_batch = 3;
constexpr uint32_t sched_deadline = 6;
constexpr Name policy_names[] = {
    {"SCHED_OTHER", sched_other},       {"SCHED_FIFO", sched_fifo}, {"SCHED_RR", sched_rr},
    {"SCHED_BATCH", sched_batch},       {"SCHED_ISO", 4},           {"SCHED_IDLE", 5},
    {"SCHED_DEADLINE", sched_deadline},
};

constexpr Name scheduler_flag_names[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 0x01},  {"SCHED_FLAG_RECLAIM", 0x02},
    {"SCHED_FLAG_DL_OVERRUN", 0x04},     {"SCHED_FLAG_KEEP_POLICY", 0x08},
    {"SCHED_FLAG_KEEP_PARAMS", 0x10},    {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
};

// The number of a name that has to be in `table`; fails and returns 0 if it is not.
template <class Table>
uint32_t number_of(const Value& value, const Table& table) {
    const Name* entry = find_name(table, value.text());
    if (entry != nullptr)
        return entry->number;
    value.fail_found("allowed are " + names_of(table));
    return 0;
}

void read_args(const Value& args, protocol::Process::Builder built) {
    std::vector<std::string> texts = args.texts();
    if (texts.empty())
        args.fail("args must not be empty"); // runc's words
    fill_texts(built.initArgs(static_cast<unsigned>(texts.size())), texts);
}

void read_env(const Value& env, protocol::Process::Builder built) {
    // Of duplicates the last value counts, at the first one's place (runc 1.1 sets them one after the other).
    std::vector<std::string> texts;
    std::map<std::string, size_t> places;
    for (const Value& element : env.elements()) {
        std::string text = element.text();
        size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            element.fail_found("an environment variable has the form NAME=VALUE");
            return;
        }
        auto [place, is_new] = places.emplace(text.substr(0, equals), texts.size());
        if (is_new)
            texts.push_back(text);
        else
            texts[place->second] = text;
    }
    fill_texts(built.initEnv(static_cast<unsigned>(texts.size())), texts);
}

void read_cwd(const Value& cwd, protocol::Process::Builder built) {
    std::string path = cwd.text();
    if (path.empty())
        cwd.fail("Cwd property must not be empty"); // runc's words
    else if (path[0] != '/')
        cwd.fail("Cwd must be an absolute path"); // runc's words
    built.setCwd(path.c_str());
}

void read_user(const Value& user, protocol::User::Builder built) {
    constexpr uint64_t max_umask = 0777;
    built.setUid(static_cast<uint32_t>(user["uid"].natural(max_id)));
    built.setGid(static_cast<uint32_t>(user["gid"].natural(max_id)));
    if (user["umask"].present())
        built.setUmask(static_cast<uint32_t>(user["umask"].natural(max_umask)));
    std::vector<Value> gids = user["additionalGids"].elements();
    auto list = built.initAdditionalGids(static_cast<unsigned>(gids.size()));
    for (unsigned i = 0; i < gids.size(); ++i)
        list.set(i, static_cast<uint32_t>(gids[i].natural(max_id)));
}

void read_console(const Value& process, protocol::Process::Builder built, HostPlan& plan) {
    plan.terminal = process["terminal"].boolean();
    Value size = process["consoleSize"];
    auto height = static_cast<uint16_t>(size["height"].natural(UINT16_MAX));
    auto width = static_cast<uint16_t>(size["width"].natural(UINT16_MAX));
    if (plan.terminal) { // config.md: ignored without a terminal
        plan.console_height = height;
        plan.console_width = width;
    }
    built.setTerminal(plan.terminal);
    built.setConsoleHeight(plan.console_height);
    built.setConsoleWidth(plan.console_width);
}

uint64_t read_capability_set(const Value& names) {
    uint64_t mask = 0;
    for (const Value& element : names.elements()) {
        std::string name = element.text();
        if (auto number = capability_number(name))
            mask |= uint64_t{1} << *number;
        else
            element.note("unknown capability " + name + " is left out"); // config.md: a warning, not an error
    }
    return mask;
}

void read_capabilities(const Value& capabilities, protocol::Process::Builder built) {
    if (!capabilities.present())
        return;
    uint64_t bounding = read_capability_set(capabilities["bounding"]);
    uint64_t effective = read_capability_set(capabilities["effective"]);
    uint64_t inheritable = read_capability_set(capabilities["inheritable"]);
    uint64_t permitted = read_capability_set(capabilities["permitted"]);
    uint64_t ambient = read_capability_set(capabilities["ambient"]);
    if ((effective & ~permitted) != 0) // capset(2) would refuse it, without saying why
        capabilities["effective"].fail("has a capability that is not in permitted; add it there too");
    // prctl(PR_CAP_AMBIENT_RAISE) allows no other, and runc drops those without an error: runc 1.1's own
    // default specification has ambient capabilities and no inheritable ones.
    uint64_t possible = ambient & permitted & inheritable;
    if (possible != ambient)
        capabilities["ambient"].note("those that are not both permitted and inheritable are left out");

    auto sets = built.initCapabilities();
    sets.setBounding(bounding);
    sets.setEffective(effective);
    sets.setInheritable(inheritable);
    sets.setPermitted(permitted);
    sets.setAmbient(possible);
}

void read_rlimits(const Value& rlimits, protocol::Process::Builder built) {
    std::vector<Value> elements = rlimits.elements();
    auto list = built.initRlimits(static_cast<unsigned>(elements.size()));
    std::set<uint32_t> seen;
    for (unsigned i = 0; i < elements.size(); ++i) {
        Value type = elements[i]["type"];
        uint32_t resource = number_of(type, rlimit_names);
        uint64_t soft = elements[i]["soft"].natural(UINT64_MAX);
        uint64_t hard = elements[i]["hard"].natural(UINT64_MAX);
        if (!seen.insert(resource).second)
            type.fail_found("each limit may be given once");
        if (soft > hard)
            elements[i]["soft"].fail_found("it may not exceed the hard limit, " + std::to_string(hard));
        list[i].setResource(resource);
        list[i].setSoft(soft);
        list[i].setHard(hard);
    }
}

void read_io_priority(const Value& io_priority, protocol::Process::Builder built) {
    constexpr uint64_t lowest = 7;
    if (!io_priority.present())
        return;
    built.setIoPriorityClass(static_cast<uint16_t>(number_of(io_priority["class"], io_class_names)));
    built.setIoPriorityLevel(static_cast<uint16_t>(io_priority["priority"].natural(lowest)));
}

// The rules of sched_setattr(2), and of runc's validator, whose words these are.
void check_scheduler(const Value& scheduler, protocol::Scheduler::Reader built) {
    uint32_t policy = built.getPolicy();
    if ((policy == sched_other || policy == sched_batch) && (built.getNice() < -20 || built.getNice() > 19))
        scheduler["nice"].fail_found("with this policy -20 to 19 is allowed");
    if (built.getPriority() != 0 && policy != sched_fifo && policy != sched_rr)
        scheduler["priority"].fail(
            "scheduler.priority can only be specified for SchedFIFO or SchedRR policy");
    if (policy != sched_deadline && (built.getRuntimeNs() | built.getDeadlineNs() | built.getPeriodNs()) != 0)
        scheduler.fail("scheduler runtime/deadline/period can only be specified for SchedDeadline policy");
}

void read_scheduler(const Value& scheduler, protocol::Process::Builder built) {
    constexpr uint64_t max_priority = 99;
    if (!scheduler.present())
        return;
    auto out = built.initScheduler();
    out.setPolicy(number_of(scheduler["policy"], policy_names));
    uint64_t flags = 0;
    for (const Value& flag : scheduler["flags"].elements())
        flags |= number_of(flag, scheduler_flag_names);
    out.setFlags(flags);
    out.setNice(static_cast<int32_t>(scheduler["nice"].integer(INT32_MIN, INT32_MAX)));
    out.setPriority(static_cast<uint32_t>(scheduler["priority"].natural(max_priority)));
    out.setRuntimeNs(scheduler["runtime"].natural(UINT64_MAX));
    out.setDeadlineNs(scheduler["deadline"].natural(UINT64_MAX));
    out.setPeriodNs(scheduler["period"].natural(UINT64_MAX));
    check_scheduler(scheduler, out.asReader());
}

// "0-3,7": what sched_setaffinity(2)'s list format and runc's parser take.
bool is_cpu_list(const std::string& text) {
    constexpr unsigned long max_cpu = 65536; // runc's limit
    size_t at = 0;
    auto number = [&](unsigned long& value) {
        size_t start = at;
        value = 0;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9' && value <= max_cpu)
            value = value * 10 + static_cast<unsigned long>(text[at++] - '0');
        return at > start && value <= max_cpu;
    };
    while (true) {
        unsigned long first = 0;
        unsigned long last = 0;
        if (!number(first))
            return false;
        if (at < text.size() && text[at] == '-') {
            ++at;
            if (!number(last) || last < first)
                return false;
        }
        if (at == text.size())
            return true;
        if (text[at++] != ',')
            return false;
    }
}

void read_cpu_affinity(const Value& affinity, ProcessRole role, protocol::Process::Builder built) {
    std::string cpus = affinity["final"].text();
    if (!cpus.empty() && !is_cpu_list(cpus))
        affinity["final"].fail_found("a list of cpus such as 0-3,7 is expected");
    if (role == ProcessRole::exec)
        built.setExecCpuAffinity(cpus.c_str());
}

} // namespace

void read_process(const Value& process, ProcessRole role, protocol::Process::Builder built, HostPlan& plan) {
    constexpr int64_t max_oom_score = 1000;
    if (!process.present()) {
        process.fail("process property must not be empty"); // runc's words
        return;
    }
    read_args(process["args"], built);
    read_env(process["env"], built);
    read_cwd(process["cwd"], built);
    read_user(process["user"], built.initUser());
    read_console(process, built, plan);
    read_capabilities(process["capabilities"], built);
    read_rlimits(process["rlimits"], built);
    built.setNoNewPrivileges(process["noNewPrivileges"].boolean());
    built.setHasOomScoreAdj(process["oomScoreAdj"].present());
    built.setOomScoreAdj(static_cast<int32_t>(process["oomScoreAdj"].integer(-max_oom_score, max_oom_score)));
    read_io_priority(process["ioPriority"], built);
    read_scheduler(process["scheduler"], built);
    read_cpu_affinity(process["execCPUAffinity"], role, built);
}

} // namespace runvm::oci
