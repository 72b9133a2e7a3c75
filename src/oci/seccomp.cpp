#include "oci/seccomp.h"

#include "core/defer.h"
#include "oci/seccomp_stub.h"
#include "os/file.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

namespace runvm::oci {

namespace {

constexpr unsigned max_arguments = 6;
constexpr size_t max_instructions = 4096; // BPF_MAXINSNS

struct Action {
    const char* name;
    uint32_t value;
    bool has_errno;
};

constexpr Action actions[] = {
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW, false},
    {"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0), true},
    {"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS, false},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD, false},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG, false},
    {"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0), true},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP, false},
};

struct Operator {
    const char* name;
    scmp_compare value;
};

constexpr Operator operators[] = {
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_LE", SCMP_CMP_LE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    {"SCMP_CMP_NE", SCMP_CMP_NE},
};

struct Architecture {
    const char* name;
    uint32_t value;
};

constexpr Architecture architectures[] = {
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
    {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},
    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},
    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
    {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
    {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},
    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},
    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
};

struct FilterFlag {
    const char* name;
    uint32_t value;
};

constexpr FilterFlag filter_flags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", 0}, // the process has one thread when it loads the filter
};

template <class Table>
std::vector<std::string> names(const Table& table) {
    std::vector<std::string> all;
    for (const auto& entry : table)
        all.emplace_back(entry.name);
    return all;
}

struct Context {
    scmp_filter_ctx filter = nullptr;
    uint32_t default_action = SCMP_ACT_ALLOW;
    std::vector<uint32_t> added_architectures;
    LastSystemCalls last;
};

// An action with its errno. config-linux.md: an errno for an action that has none is an error.
uint32_t read_action(const Value& name, const Value& errno_value) {
    std::string text = name.text();
    if (text == "SCMP_ACT_NOTIFY") {
        name.fail(ErrorKind::unsupported, "a seccomp listener of the host cannot serve a process in a VM");
        return SCMP_ACT_ALLOW;
    }
    const Action* action = find_name(actions, text);
    if (action == nullptr) {
        name.fail_found("allowed are " + names_of(actions));
        return SCMP_ACT_ALLOW;
    }
    if (!action->has_errno) {
        if (errno_value.present())
            errno_value.fail("the action " + text + " has no errno");
        return action->value;
    }
    return action->value | static_cast<uint32_t>(errno_value.natural(UINT16_MAX, EPERM));
}

void read_flags(const Value& flags, protocol::Seccomp::Builder built) {
    if (!flags.present()) { // runc's default; an empty list means none
        built.setFlags(SECCOMP_FILTER_FLAG_SPEC_ALLOW);
        return;
    }
    uint32_t mask = 0;
    for (const Value& element : flags.elements()) {
        std::string name = element.text();
        if (name == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") {
            element.fail(ErrorKind::unsupported, "concerns seccomp listeners, which a VM cannot have");
        } else if (const FilterFlag* flag = find_name(filter_flags, name)) {
            mask |= flag->value;
        } else {
            element.fail_found("allowed are " + names_of(filter_flags));
        }
    }
    built.setFlags(mask);
}

void read_architectures(const Value& list, Context& context) {
    context.added_architectures.push_back(seccomp_arch_native());
    for (const Value& element : list.elements()) {
        const Architecture* architecture = find_name(architectures, element.text());
        if (architecture == nullptr) {
            element.fail_found("allowed are " + names_of(architectures));
            return;
        }
        int status = seccomp_arch_add(context.filter, architecture->value);
        if (status == -EEXIST)
            continue;
        if (status != 0) {
            element.fail_found(std::string("libseccomp cannot filter for it: ") + strerrordesc_np(-status));
            return;
        }
        context.added_architectures.push_back(architecture->value);
    }
}

std::optional<scmp_arg_cmp> read_comparison(const Value& argument) {
    const Operator* op = find_name(operators, argument["op"].text());
    if (op == nullptr) {
        argument["op"].fail_found("allowed are " + names_of(operators));
        return std::nullopt;
    }
    if (!argument["index"].present())
        argument["index"].fail_found("an argument's number is expected");
    scmp_arg_cmp comparison{};
    comparison.arg = static_cast<unsigned>(argument["index"].natural(max_arguments - 1));
    comparison.op = op->value;
    comparison.datum_a = argument["value"].natural(UINT64_MAX);
    comparison.datum_b = argument["valueTwo"].natural(UINT64_MAX);
    return comparison;
}

// The sets of comparisons, each a rule of its own. Several conditions on one argument cannot be one rule for
// libseccomp; runc then adds each as a rule, so that they are alternatives.
std::vector<std::vector<scmp_arg_cmp>> read_comparisons(const Value& args) {
    std::vector<scmp_arg_cmp> all;
    std::array<unsigned, max_arguments> count{};
    bool repeated = false;
    for (const Value& element : args.elements()) {
        auto comparison = read_comparison(element);
        if (!comparison)
            continue;
        repeated = repeated || ++count[comparison->arg] > 1;
        all.push_back(*comparison);
    }
    if (!repeated)
        return {all};
    std::vector<std::vector<scmp_arg_cmp>> rules;
    rules.reserve(all.size());
    for (const scmp_arg_cmp& comparison : all)
        rules.push_back({comparison});
    return rules;
}

void remember_last(const std::string& name, Context& context) {
    for (uint32_t architecture : context.added_architectures) {
        int number = seccomp_syscall_resolve_name_arch(architecture, name.c_str());
        if (number <= 0)
            continue; // libseccomp's negative numbers: not on this architecture
        uint32_t plain = static_cast<uint32_t>(number) & ~uint32_t{0x40000000}; // without x32's bit
        auto [entry, is_new] = context.last.emplace(architecture, plain);
        if (!is_new)
            entry->second = std::max(entry->second, plain);
    }
}

void add_rule(const Value& element, Context& context) {
    uint32_t action = read_action(element["action"], element["errnoRet"]);
    auto rules = read_comparisons(element["args"]);
    std::vector<Value> syscall_names = element["names"].elements();
    if (syscall_names.empty())
        element["names"].fail_found("at least one system call is expected");
    for (const Value& name_value : syscall_names) {
        std::string name = name_value.text();
        if (name.empty()) {
            name_value.fail("empty string is not a valid syscall"); // runc's words
            return;
        }
        remember_last(name, context);
        if (action == context.default_action)
            continue; // libseccomp refuses what is redundant
        int number = seccomp_syscall_resolve_name(name.c_str());
        if (number == __NR_SCMP_ERROR) {
            name_value.note("unknown system call " + name + " is left out"); // as runc does
            continue;
        }
        for (const auto& comparisons : rules) {
            int status =
                seccomp_rule_add_array(context.filter, action, number,
                                       static_cast<unsigned>(comparisons.size()), comparisons.data());
            if (status != 0) {
                name_value.fail("libseccomp cannot add a rule for " + name + ": " + strerrordesc_np(-status));
                return;
            }
        }
    }
}

Result<std::string> export_program(scmp_filter_ctx filter) {
    os::Fd memory(::memfd_create("seccomp", MFD_CLOEXEC));
    if (!memory)
        return system_error("memfd_create");
    int status = seccomp_export_bpf(filter, memory.get());
    if (status != 0)
        return system_error("compile the seccomp profile", -status);
    if (::lseek(memory.get(), 0, SEEK_SET) != 0)
        return system_error("lseek a memfd");
    return os::read_fd(memory.get(), "the seccomp program");
}

// Calls newer than the profile are for its author to allow: see the header. A tracer deals with them itself.
bool needs_stub(uint32_t default_action) {
    return default_action != SCMP_ACT_ALLOW && default_action != SCMP_ACT_LOG &&
           default_action != SCMP_ACT_ERRNO(ENOSYS) &&
           (default_action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_TRACE;
}

void compile(const Value& seccomp, Context& context, protocol::Seccomp::Builder built) {
    auto program = export_program(context.filter);
    if (!program) {
        seccomp.fail(program.error().kind(), program.error().message());
        return;
    }
    std::string whole;
    if (needs_stub(context.default_action)) {
        std::vector<sock_filter> stub = enosys_stub(context.last);
        whole.assign(reinterpret_cast<const char*>(stub.data()), stub.size() * sizeof(sock_filter));
    }
    whole += *program;
    if (whole.size() > max_instructions * sizeof(sock_filter)) {
        seccomp.fail("compiles to " + std::to_string(whole.size() / sizeof(sock_filter)) +
                     " instructions; the kernel takes " + std::to_string(max_instructions));
        return;
    }
    built.setProgram(capnp::Data::Reader(reinterpret_cast<const capnp::byte*>(whole.data()), whole.size()));
}

} // namespace

void read_seccomp(const Value& seccomp, protocol::Process::Builder process) {
    // libseccomp's level of features follows the host's kernel, but it is the guest's kernel that counts:
    // 5 has everything but notifications (seccomp_api_get(3)).
    constexpr unsigned api_level = 5;
    constexpr size_t many_rules = 32; // runc's threshold for the binary tree

    // runc: no default action and no rules mean no seccomp.
    if (!seccomp.present() ||
        (seccomp["defaultAction"].text().empty() && seccomp["syscalls"].elements().empty()))
        return;
    Context context;
    context.default_action = read_action(seccomp["defaultAction"], seccomp["defaultErrnoRet"]);
    auto built = process.initSeccomp();
    read_flags(seccomp["flags"], built);
    if (seccomp.document().failed())
        return;

    seccomp_api_set(api_level);
    std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(context.default_action), seccomp_release);
    if (!filter) {
        seccomp.fail(ErrorKind::internal, "libseccomp cannot make a filter");
        return;
    }
    context.filter = filter.get();
    read_architectures(seccomp["architectures"], context);
    size_t count = 0;
    std::vector<Value> rules = seccomp["syscalls"].elements();
    for (const Value& element : rules)
        count += element["names"].elements().size();
    if (count > many_rules)
        seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (const Value& element : rules) {
        if (seccomp.document().failed())
            return;
        add_rule(element, context);
    }
    if (!seccomp.document().failed())
        compile(seccomp, context, built);
}

std::vector<std::string> known_seccomp_actions() {
    return names(actions);
}
std::vector<std::string> known_seccomp_operators() {
    return names(operators);
}
std::vector<std::string> known_seccomp_architectures() {
    return names(architectures);
}
std::vector<std::string> known_seccomp_flags() {
    return names(filter_flags);
}

} // namespace runvm::oci
